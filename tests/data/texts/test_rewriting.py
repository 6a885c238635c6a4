"""Rewriting by a model: incorrect texts are requested again, and no answer is lost."""

import itertools
import re
import signal
import threading
import time

import pyarrow.parquet as pq
import pytest

from data_gen.rewrite import RewriteConfig
from physlm.data.people.bior import BiorConfig, persons_of
from physlm.data.texts.rewriting import lacking, prompt, rewrite
from physlm.errors import InputError
from physlm.models.text_generator import LocalWriter
from physlm.rng import stream
from tests.chat_server import Endpoint, command, faithful, forgetful, message, writer

N = 6  # people that the fixture `persons` has


def rewritten(persons, write, path, **values):
    chosen = {"n_texts": 2, "max_tries": 5, "seed": 0, **values}
    return rewrite(persons, lambda prompts: enumerate(map(write, prompts)), path, **chosen)


def test_a_prompt_gives_every_fact(persons):
    person = persons[0]
    prompts = {prompt(person, stream(0, i)) for i in range(20)}
    assert len(prompts) > 10
    for text in prompts:
        assert not lacking(text, person)
        assert not lacking(faithful(text), person)


@pytest.mark.parametrize(
    "change",
    [
        lambda text, p: text.replace(p.name, p.name.split()[0]),
        lambda text, p: text.replace(p.facts["birth_date"], p.facts["birth_date"][:-1]),
        lambda text, p: text.replace(p.facts["major"], p.facts["major"] + "s"),
        lambda text, p: text.replace(p.facts["employer"], p.facts["employer"].lower()),
    ],
)
def test_facts_not_stated_word_for_word_are_lacking(persons, change):
    text = faithful(prompt(persons[0], stream(0, "prompt")))
    assert len(lacking(change(text, persons[0]), persons[0])) == 1


def test_texts_lacking_a_fact_are_requested_again(persons, tmp_path):
    path = rewritten(persons, forgetful, tmp_path / "texts.parquet")
    table = pq.read_table(path).to_pylist()
    assert [(row["person"], row["name"]) for row in table] == [
        (i, p.name) for i, p in enumerate(persons) for _ in range(2)
    ]
    assert not any(lacking(row["text"], persons[row["person"]]) for row in table)
    assert '"' not in table[0]["text"]
    answers = (tmp_path / "texts.jsonl").read_text().splitlines()
    assert len(answers) > 1 + 2 * N


def test_interrupted_work_resumes(persons, tmp_path):
    """The writer fails midway; its answers are kept, except for an incomplete line."""
    asked = []

    def failing(text):
        asked.append(text)
        if len(asked) > 7:
            raise InputError("the endpoint is down")
        return faithful(text)

    with pytest.raises(InputError, match="the endpoint is down"):
        rewritten(persons, failing, tmp_path / "texts.parquet")
    with (tmp_path / "texts.jsonl").open("a") as file:
        file.write('{"person": 3, "text_num')
    again = []
    rewritten(
        persons, lambda text: again.append(text) or faithful(text), tmp_path / "texts.parquet"
    )
    assert len(again) == 2 * N - 7
    assert not set(again) & set(asked[:7])
    rewritten(persons, pytest.fail, tmp_path / "texts.parquet")


def test_an_answer_that_has_changed_is_refused(persons, tmp_path):
    """One of an earlier version, which has no seal, is taken as it is."""
    path = tmp_path / "texts.jsonl"
    rewritten(persons, faithful, tmp_path / "texts.parquet")
    text = path.read_text()
    path.write_text(text.replace('"text": "', '"text": "Well, ', 1))
    with pytest.raises(
        InputError, match=r"texts.jsonl is not a file of answers \(text \d of person"
    ):
        rewritten(persons, faithful, tmp_path / "texts.parquet")
    path.write_text(re.sub(', "seal": "[0-9a-f]*"', "", text))
    rewritten(persons, pytest.fail, tmp_path / "texts.parquet")


def test_rewriting_stops_after_max_tries(persons, tmp_path):
    with pytest.raises(InputError, match=r"12 texts lacked a fact in all of max_tries=3, such as"):
        rewritten(persons, lambda _: "A life.", tmp_path / "texts.parquet", max_tries=3)
    path = rewritten(persons, faithful, tmp_path / "texts.parquet", max_tries=4)
    assert pq.read_table(path).num_rows == 2 * N


def test_answers_about_other_people_are_refused(persons, tmp_path):
    rewritten(persons, faithful, tmp_path / "texts.parquet")
    with pytest.raises(InputError, match="has texts about other people; choose another output"):
        rewritten(persons[:-1], faithful, tmp_path / "texts.parquet")
    (tmp_path / "texts.jsonl").write_text("garbage\n")
    with pytest.raises(InputError, match="is not a file of answers"):
        rewritten(persons, faithful, tmp_path / "texts.parquet")


def rewritten_by(persons, address, path, **values):
    """One text for each person, by the endpoint."""
    return rewrite(persons, writer(address, **values), path, n_texts=1, max_tries=5, seed=0)


def test_answers_before_a_refusal_are_kept_and_only_missing_ones_requested(endpoint, tmp_path):
    people = persons_of(BiorConfig(n_people=16), 0)[1]
    Endpoint.says = staticmethod(faithful)
    Endpoint.behaviour[:] = [(200, None)] * 9 + [(401, "quota used up")] * 7
    with pytest.raises(InputError, match="answers 401 quota used up"):
        rewritten_by(people, endpoint, tmp_path / "texts.parquet")
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 1 + 9
    Endpoint.behaviour.clear(), Endpoint.requests.clear()
    rewritten_by(people, endpoint, tmp_path / "texts.parquet")
    assert len(Endpoint.requests) == 7


def test_requests_run_concurrently_and_the_order_of_answers_has_no_effect(
    endpoint, persons, tmp_path
):
    """The server answers once three requests are there, the last one first."""
    arrived, turns = threading.Barrier(3), itertools.count()

    def late(asked):
        arrived.wait(timeout=20)
        time.sleep(0.02 * (next(turns) % 3))
        return faithful(asked)

    Endpoint.says = staticmethod(late)
    at_once = rewritten_by(persons, endpoint, tmp_path / "at_once.parquet", batch_size=3)
    Endpoint.says = staticmethod(faithful)
    in_turn = rewritten_by(persons, endpoint, tmp_path / "in_turn.parquet", batch_size=1)
    assert pq.read_table(at_once).equals(pq.read_table(in_turn))


def test_an_answer_is_saved_while_others_are_pending(endpoint, persons, tmp_path):
    """The server answers the last request only after the other answers are saved."""
    n_asked, n_kept = itertools.count(1), []

    def last_one_waits(asked):
        if next(n_asked) == N:
            until = time.monotonic() + 20
            while len(n_kept) < N - 1 and time.monotonic() < until:
                n_kept[:] = (tmp_path / "texts.jsonl").read_text().splitlines()[1:]
        return faithful(asked)

    Endpoint.says = staticmethod(last_one_waits)
    rewritten_by(persons, endpoint, tmp_path / "texts.parquet", batch_size=N)
    assert len(n_kept) == N - 1


def test_an_interrupt_takes_effect_at_once_and_loses_nothing(endpoint, tmp_path):
    """At the interrupt three requests hang, and five answers are saved."""
    n_asked, is_over = itertools.count(1), threading.Event()

    def n_kept():
        return len((tmp_path / "texts.jsonl").read_text().splitlines()) - 1

    def hangs(asked):
        if (n := next(n_asked)) > 5:
            if n == 8:
                until = time.monotonic() + 20
                while n_kept() < 5 and time.monotonic() < until:
                    time.sleep(0.01)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            is_over.wait(60)
        return faithful(asked)

    Endpoint.says = staticmethod(hangs)
    words = (
        f"output={tmp_path}/texts.parquet",
        f"endpoint={endpoint}",
        "writer=m",
        "data.n_people=12",
        "batch_size=3",
    )
    # Workers of parallel tests ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    try:
        status, _, errors = command(*words)
    finally:
        signal.signal(signal.SIGINT, before)
        is_over.set()
    assert time.monotonic() - began < 30
    assert status == 130
    assert errors.splitlines()[-1] == ("interrupted: answers are kept; the same command resumes")
    assert n_kept() == 5


def test_a_model_that_answers_without_text_is_reported(endpoint, persons, tmp_path):
    """It is reported before all tries are used; later attempts have all of them."""
    Endpoint.behaviour[:] = [(200, message(None, "length"))] * 50
    with pytest.raises(InputError, match="20 answers in a row had no text at all.* max_tokens"):
        rewritten_by(persons, endpoint, tmp_path / "texts.parquet", batch_size=1)
    assert len(Endpoint.requests) <= 22
    Endpoint.behaviour.clear()
    rewritten_by(persons, endpoint, tmp_path / "texts.parquet")


def test_a_file_has_texts_of_one_setting_only(persons, tmp_path):
    path = tmp_path / "texts.parquet"
    one, other = {"writer": "m", "temperature": 1.0}, {"writer": "m", "temperature": 0.5}
    with pytest.raises(InputError, match="lacked a fact"):
        rewritten(persons, lambda _: "A life.", path, settings=one)
    rewritten(persons, faithful, path, settings=other)  # no text was accepted before
    with pytest.raises(InputError, match=r"12 texts written with temperature=0.5, not temper"):
        rewritten(persons, pytest.fail, path, settings=one)
    rewritten(persons, pytest.fail, path, settings=other)


def test_the_command_writes_a_file_that_bior_reads(endpoint, tmp_path):
    output = tmp_path / "texts.parquet"
    people = ["data.n_people=6", "data.n_texts=2"]
    Endpoint.behaviour[:] = [(200, None)] * 5 + [(401, "expired")] * 7
    words = (f"output={output}", f"endpoint={endpoint}", "writer=m", *people)
    status, _, errors = command(*words)
    assert status == 2
    assert "answers 401 expired" in errors
    assert not output.exists()
    Endpoint.behaviour.clear()
    status, printed, _ = command(*words)
    assert (status, printed.splitlines()[-1]) == (0, f"texts: {output}")
    world = BiorConfig(n_people=6, n_texts=2, source=str(output)).build(0)
    assert len(Endpoint.requests) > 12
    assert world.facts(3)["name"] in world.vocabulary.decode(world.epoch(0, 0, 6).tokens)


def test_bad_values_are_refused(tmp_path):
    people = BiorConfig(n_people=N)
    with pytest.raises(ValueError, match=r"output=a.txt; the name must end in .parquet"):
        RewriteConfig(output="a.txt", writer="m", data=people)
    with pytest.raises(ValueError, match=r"data.source=b already has texts"):
        RewriteConfig(output="a.parquet", writer="m", data=BiorConfig(source="b"))
    with pytest.raises(InputError, match="has no config.json; give the folder of a checkpoint"):
        LocalWriter(tmp_path, max_tokens=8, temperature=0.0, seed=0)
    for words, fault in BAD.items():
        status, _, errors = command(*words.split(), "data.n_people=2")
        assert (status, errors.count("\n")) == (2, 1), errors
        assert fault in errors


BAD = {
    "writer=m endpoint=ftp": "output is missing; write output=FILE.parquet",
    "output=a.parquet writer=m endpoint=ftp": "endpoint=ftp; must begin with http://",
    "output=a.parquet writer=m": "m does not exist",
    "output=a.parquet writer=m +request.top_p=1": "is for endpoints; leave it out",
    "output=a.parquet writer=m endpoint=http://a timeout=0": "timeout=0; must be above 0",
    "output=a.parquet writer=m endpoint=http://a timeout=inf": "timeout=inf; must be",
    "output=a.parquet writer=m endpoint=http://a n_retries=-1": "n_retries=-1; must be",
    "output=a.parquet writer=m endpoint=http://a batch_size=100000": "at most 1000 requests",
    "output=a.parquet writer=m endpoint=http://a +request.stream=true": "request.stream",
}
