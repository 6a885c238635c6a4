"""Questions about public figures to a model behind an endpoint that fails at times."""

import itertools
import re
import time

import polars as pl
import pytest

from physlm.config import composed, register
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory
from tests.chat_server import Endpoint, serving
from tests.eval.public.test_public_figures import last_question, truths

register()
N_QUESTIONS = 7 * 10


@pytest.fixture
def address():
    with serving() as found:
        known = truths()
        Endpoint.says = staticmethod(lambda prompt: known[last_question(prompt)])
        yield found


def run(address, folder, *words):
    config = composed(
        (
            "+experiment=turing_facts",
            "model=endpoint",
            f"model.address={address}",
            "model.name=m",
            "model.concurrency=3",
            *(() if "eval=depth" in words else ("eval.public_figures.n_people=10",)),
            f"runs_dir={folder}",
            *words,
        )
    )
    directory = RunDirectory(config.run_dir)
    return execute(config, directory), directory


def test_an_endpoint_is_measured_by_its_answers(address, tmp_path):
    outcome, directory = run(address, tmp_path)
    accuracies = {
        m.dims["task"]: m.value
        for m in outcome.record.metrics
        if m.name == "public_figures/accuracy"
    }
    assert set(accuracies.values()) == {1}
    assert len(Endpoint.requests) == N_QUESTIONS
    body = Endpoint.requests[0][1]
    assert {name: body[name] for name in body if name != "messages"} == {
        "model": "m",
        "max_tokens": 32,
        "temperature": 0.0,
    }
    assert outcome.record.parameters["total"] == 0
    assert pl.read_parquet(directory.table("public_figures_answers")).height == N_QUESTIONS


def test_the_order_in_which_answers_come_changes_nothing(address, tmp_path):
    known, n_asked = truths(), itertools.count()

    def unevenly(prompt):
        time.sleep(0.02 * (next(n_asked) % 4))
        return known[last_question(prompt)]

    found = []
    for says, concurrency in ((Endpoint.says, 1), (unevenly, 9)):
        Endpoint.says = staticmethod(says)
        words = ("eval.public_figures.n_people=4", f"model.concurrency={concurrency}")
        outcome, directory = run(address, tmp_path / str(concurrency), *words)
        table = pl.read_parquet(directory.table("public_figures_answers"))
        found.append((outcome.record.metrics, table.rows()))
    assert found[0] == found[1]


def test_the_limit_of_an_answer_may_have_its_other_name(address, tmp_path):
    run(address, tmp_path, "+model.request.max_completion_tokens=64")
    body = Endpoint.requests[0][1]
    assert body["max_completion_tokens"] == 64
    assert "max_tokens" not in body


def test_limits_and_garbage_cost_a_retry_and_no_answer(address, tmp_path):
    Endpoint.behaviour[:] = [
        (429, "slow down", ("Retry-After", "0")),
        (200, "<html>"),
        (503, "busy", ("Retry-After", "0")),
    ]
    metrics = by_text(run(address, tmp_path)[0].record.metrics)
    assert metrics["public_figures/accuracy{split=test,task=birthplace}"].value == 1
    assert len(Endpoint.requests) == N_QUESTIONS + 3


def test_an_endpoint_that_goes_down_half_way_is_asked_for_the_rest_only(address, tmp_path):
    known, n_answers = truths(), []

    def until_down(prompt):
        if len(n_answers) >= N_QUESTIONS // 2:
            raise ConnectionResetError
        n_answers.append(prompt)
        return known[last_question(prompt)]

    Endpoint.says = staticmethod(until_down)
    outcome, directory = run(address, tmp_path, "model.n_retries=0")
    reason = outcome.record.errors["public_figures"]
    assert re.search(
        r"does not answer .*; check that it is up and run again, which resumes", reason
    )
    kept = directory.answers.read_text().count("\n")
    assert kept == N_QUESTIONS // 2
    Endpoint.says = staticmethod(lambda prompt: known[last_question(prompt)])
    Endpoint.requests.clear()
    outcome, _ = run(address, tmp_path)
    assert len(Endpoint.requests) == N_QUESTIONS - kept
    metrics = by_text(outcome.record.metrics)
    assert metrics["public_figures/accuracy{split=test,task=birth_date_ranking}"].value == 1
    Endpoint.requests.clear()
    assert run(address, tmp_path)[0].was_done
    assert not Endpoint.requests
    run(address, tmp_path, "rescore=true")
    assert len(Endpoint.requests) == N_QUESTIONS


def test_how_it_is_asked_does_not_name_the_run():
    def run_id(*words):
        own = ("+experiment=turing_facts", "model=endpoint", "model.address=http://a/v1")
        return composed((*own, *words)).run_id

    assert run_id("model.timeout=3", "model.concurrency=2", "model.n_retries=9") == run_id()
    assert run_id("model.name=other") != run_id()
    assert run_id("+model.request.top_p=0.5") != run_id()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("model.address=", "model.name=m"), "model.address is empty"),
        (("model.address=http://a/v1", "model.name="), "model.name is empty"),
        (("model.address=ftp://a",), "begin with http:// or https://"),
        (("model.concurrency=0",), "concurrency=0; must be from 1"),
        (("model.timeout=0",), "timeout=0; must be above 0"),
        (("model.n_retries=-1",), "n_retries=-1"),
        (("+model.request.stream=true",), r"request\.stream cannot be set"),
        (
            ("eval=depth",),
            "model=endpoint returns only text, and eval=depth reads scores or states",
        ),
        (("stage=train",), "model=endpoint cannot be trained"),
        (("data=bios",), "model=endpoint has its own tokenizer"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(tmp_path, words, fault):
    with pytest.raises(InputError, match=fault):
        run("http://127.0.0.1:9/v1", tmp_path, *words)
