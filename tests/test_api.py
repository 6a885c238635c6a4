"""Runs from Python, held against the command line and the parts that they are made of."""

import copy
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch

import physlm
from physlm.api.runs import carried_out
from physlm.config import composed
from physlm.errors import InputError
from physlm.record import read_record
from tests.command_line import TINY_RUN, called, record_path
from tests.models.checkpoints import checkpoint, transformers

QUICK = ("runtime.progress_bar=false", "runtime.n_threads=1", "runtime.compile=false")
PEOPLE = (
    "data=bios",
    "data.n_people=12",
    "data.exposures=2",
    "data.include_question_vocabulary=true",
    "data.tokenizer=compact",
    "data.seq_len=128",
    "trainer.batch_size=2",
    "optim.warmup_steps=2",
    "model.d_model=16",
    "model.n_heads=2",
    "eval=recall",
    *QUICK,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def tiny(folder):
    return physlm.run(*TINY_RUN, *QUICK[1:], "eval=capacity", runs_dir=folder, seed=1)


@pytest.fixture(scope="module")
def people(folder):
    return physlm.run(*PEOPLE, runs_dir=str(folder))


@pytest.fixture(scope="module")
def answering(folder, people):
    words = ("data=questions", "model=inherited", "eval=qa", "data.exposures=1", "data.seq_len=64")
    some = ("trainer.batch_size=1", "optim.warmup_steps=1", *QUICK)
    return physlm.run(*words, *some, init_from=people, runs_dir=folder)


def test_a_run_is_that_of_the_command_line(tiny, folder, tmp_path):
    done = called(
        *TINY_RUN,
        *QUICK[1:],
        "eval=capacity",
        "seed=1",
        f"runs_dir={tmp_path}",
        cwd=tmp_path,
        check=0,
    )
    record = read_record(record_path(done, tmp_path))
    assert tiny.record.run_id == record.run_id
    assert tiny.record.metrics == record.metrics
    assert tiny.path.parent == folder


def test_a_finished_run_is_not_run_again(tiny, folder):
    before = tiny.path.joinpath("record.json").stat().st_mtime_ns
    again = physlm.run(*TINY_RUN, *QUICK[1:], "eval=capacity", runs_dir=folder, seed=1)
    assert again.record == tiny.record
    assert tiny.path.joinpath("record.json").stat().st_mtime_ns == before


def test_the_module_and_the_function_are_one(tiny):
    import physlm.run

    assert callable(physlm.run)
    assert physlm.run.main is not None


@pytest.mark.parametrize("name", ["path", "text", "record", "id"])
def test_a_run_is_loaded_by_any_of_its_names(tiny, tmp_path, name):
    (tmp_path / "runs").symlink_to(tiny.path.parent)
    given = {
        "path": tiny.path,
        "text": str(tiny.path),
        "record": tiny.path / "record.json",
        "id": tiny.record.run_id,
    }[name]
    with chdir(tmp_path):
        found = physlm.load(given)
    assert found.record == tiny.record
    assert found.config.run_id == tiny.record.run_id


def test_metrics_and_curves_are_those_of_the_record(tiny):
    rows = list(tiny.metrics.iter_rows(named=True))
    for row, metric in zip(rows, tiny.record.metrics, strict=True):
        dims = {k: v for k, v in row.items() if k in metric.dims}
        assert (row["metric"], dims, row["value"]) == (metric.name, metric.dims, metric.value)
        assert (row["n"], row["stderr"], row["unit"]) == (metric.n, metric.stderr, metric.unit)
    assert tiny.curves["step"].is_sorted()
    assert "train/loss_nats" in tiny.curves.columns


def test_any_finished_run_is_scored_again(tiny):
    found = physlm.score(tiny, "recall")
    assert found.path.parent == tiny.path.parent
    assert found.config.seed == 1
    assert found.config.parent.config.run_id == tiny.record.run_id
    assert {metric.name.split("/")[0] for metric in found.record.metrics} == {"recall"}


def test_fields_of_a_scorer_are_set_by_name(tiny):
    assert physlm.score(tiny, "recall", max_people=3).config.eval["recall"].max_people == 3


def test_continuations_are_the_likeliest_tokens_one_after_the_other(people):
    corpus, model = people.corpus, people.model
    document = corpus.epoch(0, 0, 1).tokens
    text = corpus.vocabulary.decode(document[1:6])
    found = physlm.generate(people, [text, text], max_new_tokens=3)
    tokens = document[:6].tolist()
    for _ in range(3):
        scores = model(torch.tensor([tokens], device=model.device))[0, -1]
        tokens.append(int(scores.argmax()))
    assert found["continuation"].to_list() == [corpus.vocabulary.decode(np.array(tokens[6:]))] * 2
    drawn = [
        physlm.generate(people, text, temperature=2.0, seed=s)["continuation"][0] for s in (1, 2)
    ]
    assert drawn[0] != drawn[1]


def test_a_measured_checkpoint_writes_with_its_own_tokenizer(folder, tmp_path):
    checkpoint(tmp_path, "llama")
    words = ("data=public_figures", "model=checkpoint", "eval=public_figures", *QUICK)
    few = {"eval.public_figures.n_people": 2, "eval.public_figures.max_new_tokens": 1}
    run = physlm.run(*words, f"model.path={tmp_path}", runs_dir=folder, **few)
    read = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    prompt = read("Alan Turing was born", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=4, do_sample=False)[0]
    truth = read.decode(written[prompt["input_ids"].shape[1] :])
    found = physlm.generate(run, "Alan Turing was born", max_new_tokens=4)
    assert found["continuation"].to_list() == [truth]
    with pytest.raises(InputError, match="likeliest tokens are taken; leave both out"):
        physlm.generate(run, "Alan Turing", temperature=1.0)
    with pytest.raises(InputError, match="use physlm.generate"):
        physlm.ask(run, "Where was Alan Turing born?")


def test_answers_are_those_that_the_scorer_kept(answering):
    kept = answering.table("qa_answers").filter(is_held_out_paraphrase=False)
    longest = answering.corpus.longest_answer + 1
    asked = physlm.ask(answering, kept["question"].head(8).to_list(), max_new_tokens=longest)
    assert asked["answer"].to_list() == kept["answer"].head(8).to_list()


def test_states_and_attention_are_those_of_the_model(people):
    document = people.corpus.epoch(0, 0, 1).tokens[:9]
    text = people.corpus.vocabulary.decode(document[1:])
    found = physlm.residuals(people, text, states=[2, 0])
    ids = torch.from_numpy(document[None].astype(np.int64)).to(people.model.device)
    assert "".join(found.tokens[1:]) == text
    torch.testing.assert_close(
        torch.from_numpy(found.values[1]), people.model.embed(ids)[0].detach().cpu()
    )
    scores = people.model.unembed(torch.from_numpy(found.values[0]).to(people.model.device))
    torch.testing.assert_close(scores, people.model(ids)[0])
    patterns = physlm.attention_patterns(people, text)
    assert patterns.values.shape == (people.model.n_layers, 2, 9, 9)
    np.testing.assert_allclose(patterns.values.sum(-1), 1, atol=1e-5)
    assert not np.triu(patterns.values, 1).any()


def test_the_logit_lens_reads_each_state_by_the_models_own_head(people):
    document = people.corpus.epoch(0, 0, 1).tokens[:9]
    text = people.corpus.vocabulary.decode(document[1:])
    found = physlm.logit_lens(people, text)
    states, n = people.model.n_layers + 1, len(document)
    assert found["position"].to_list() == [i for i in range(n) for _ in range(states)]
    assert found["state"].to_list() == list(range(states)) * n
    assert "".join(found["token"].to_list()[states::states]) == text
    values = torch.from_numpy(physlm.residuals(people, text).values).to(people.model.device)
    scores = people.model.unembed(values).log_softmax(-1).detach().cpu()
    top = scores.max(-1)
    predicted = [people.corpus.vocabulary.decode(np.array([i])) for i in top.indices.T.flatten()]
    assert [p.strip() for p in found["prediction"]] == [p.strip() for p in predicted]
    kl = (scores[-1].exp() * (scores[-1] - scores)).sum(-1)
    for column, truth in (("probability", top.values.exp()), ("kl_nats", kl)):
        np.testing.assert_allclose(found[column], truth.T.flatten(), atol=1e-5)
    ranks = (scores > scores.gather(-1, top.indices[-1].expand(states, n)[..., None])).sum(-1) + 1
    assert found["final_rank"].to_list() == ranks.T.flatten().tolist()


def test_a_configuration_is_run_as_it_is(tiny, folder):
    config = composed((*TINY_RUN, *QUICK[1:], "eval=capacity", f"runs_dir={folder}", "seed=1"))
    assert physlm.run(copy.deepcopy(config)).record == tiny.record
    assert carried_out(config).was_done
    with pytest.raises(InputError, match="change its fields instead"):
        physlm.run(config, seed=2)


@pytest.mark.parametrize(
    ("words", "keys", "said"),
    [
        ((), {"n_peopel": 3}, r"unknown key n_peopel; did you mean n_people\?"),
        ((), {"n_people": "many"}, "data.n_people='many'; must be a whole number"),
        ((), {"n_people": 0}, "n_people=0; must be at least 1"),
        (("+experiment=nothing",), {}, "nothing"),
        (("seeds=3",), {}, "3 runs"),
        (("+experiment=mixed_training",), {"exposures": 3}, "exposures= could be data.* or data"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(words, keys, said, folder):
    with pytest.raises(InputError, match=said) as raised:
        physlm.run(*(words or TINY_RUN), *(words and ("data.seq_len=12",)), runs_dir=folder, **keys)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_loaded_says_why(tmp_path, tiny):
    with pytest.raises(InputError, match="does not exist; name a run directory"):
        physlm.load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"is a checkpoint; measure it with physlm.run"):
        physlm.load(tmp_path)
    with pytest.raises(InputError, match="has no table qa_answers; it has none"):
        tiny.table("qa_answers")
    with pytest.raises(InputError, match="is not in the vocabulary"):
        physlm.generate(tiny, "What?")


def test_names_are_documented_and_loaded_when_used():
    for name in physlm.__all__:
        assert getattr(physlm, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = physlm.nothing
    assert Path(physlm.__file__).parent.name == "physlm"
