"""Runs as exported folders, read by `transformers`, the Hub's card parser and lm_eval."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
import yaml

from physlm import scorecard
from physlm.config import composed, register
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.export import main
from physlm.models.pretrained import load_pretrained
from physlm.pipeline import execute
from physlm.preparation import trained_world
from physlm.run_directory import RunDirectory

register()
transformers.utils.logging.disable_progress_bar()
SMALL = (
    "model.n_layers=1",
    "model.d_model=32",
    "model.n_heads=2",
    "optim.warmup_steps=1",
    "trainer.batch_size=2",
    "data.seq_len=64",
    "runtime.progress_bar=false",
)
PEOPLE = (
    "data=bios",
    "data.n_people=12",
    "data.exposures=12",
    "data.include_question_vocabulary=true",
)


def trained(folder, *words):
    config = composed((*words, f"runs_dir={folder}"))
    execute(config, RunDirectory(config.run_dir))
    return config


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", params=["compact", pytest.param("gpt2", marks=pytest.mark.slow)])
def people(request, runs):
    return trained(runs, *PEOPLE, *SMALL, "~eval", f"data.tokenizer={request.param}")


@pytest.fixture(scope="module")
def qa(people, runs):
    """It answers some questions, at least about the people whom it was asked about."""
    start = ("data=questions", "model=inherited", "eval=qa", f"init_from={people.run_dir}")
    return trained(
        runs,
        *start,
        "data.exposures=120",
        "data.seq_len=64",
        "optim.warmup_steps=10",
        "optim.learning_rate=0.005",
        "trainer.batch_size=4",
        "runtime.progress_bar=false",
    )


@pytest.fixture(scope="module")
def exported(qa, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    assert main([str(qa.run_dir), str(folder)]) == 0
    return folder


def test_scores_and_greedy_texts_are_those_of_the_run(qa, exported):
    world = trained_world(qa, RunDirectory(qa.run_dir))
    model, corpus = world.model, world.corpus
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported).eval()
    reader = transformers.AutoTokenizer.from_pretrained(exported)
    people, zeros = np.arange(8), np.zeros(8, dtype=np.int64)
    prompts = corpus.prompts(people, zeros, zeros)
    greedy = Sampling(max_new_tokens=12, eos=corpus.vocabulary.eos, temperature=0.0)
    written = generate(model, prompts, greedy, seed=0)
    for prompt, ours in zip(prompts, written.tokens, strict=True):
        read = reader(corpus.vocabulary.decode(prompt[1:]), return_tensors="pt")
        with torch.no_grad():
            scores = model(torch.tensor(prompt[None], dtype=torch.int64))
            found = theirs(**read).logits
            new = theirs.generate(**read, max_new_tokens=12, do_sample=False)[0, len(prompt) :]
        ids = exported_ids(reader, corpus.vocabulary)
        torch.testing.assert_close(found[..., ids], scores, atol=1e-5, rtol=1e-5)
        others = np.setdiff1d(np.arange(len(reader)), ids)
        assert found.softmax(-1)[..., others].sum() < 1e-12
        text = reader.decode(new, skip_special_tokens=True)
        assert text == corpus.vocabulary.decode(ours)


def exported_ids(reader, vocabulary):
    """By the text of each token, which the reader knows by its own means."""
    if len(reader) == vocabulary.size:
        return np.arange(vocabulary.size)
    return vocabulary.original_ids


def test_the_card_has_the_metrics_with_their_n_and_errors(qa, exported):
    from huggingface_hub import ModelCard

    card = ModelCard.load(exported / "README.md")
    record = RunDirectory(qa.run_dir).read_record()
    held_out = record.metric("qa/exact_match{split=held_out_people}")
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found[held_out.text] == held_out.value
    row = f"| {held_out.text} | {held_out.value:.4g} | {held_out.stderr:.2g} | {held_out.n} |"
    assert row in card.text
    assert card.data.library_name == "transformers"
    assert "tokenizer(" in card.text
    assert "--tasks physlm_qa" in card.text


def test_tasks_ask_the_questions_that_the_scorer_asked(qa, exported):
    described = yaml.safe_load((exported / "lm_eval/physlm_qa.yaml").read_text())
    lines = (exported / "lm_eval/physlm_qa.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    corpus = trained_world(qa, RunDirectory(qa.run_dir)).corpus
    assert described["task"] == "physlm_qa"
    assert len(rows) == 6 * corpus.is_held_out.sum()
    for row in rows:
        assert corpus.is_held_out[row["person"]]
        assert row["answers"] == [corpus.world.facts(row["person"])[row["asked"]]]
        assert row["prompt"].endswith("Answer:")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs lm_eval")
def test_the_harness_measures_the_accuracies_of_the_scorer(qa, exported, tmp_path):
    names = {"physlm_qa": "held_out_people", "physlm_qa_train_people": "train_people"}
    command = ["-m", "lm_eval", "--model", "hf", "--model_args", "pretrained=."]
    more = ["--include_path", "lm_eval", "--tasks", ",".join(names), "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, *command, *more, "--batch_size", "32", "--output_path", str(tmp_path)],
        cwd=exported,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = tmp_path.rglob("results_*.json")
    results = json.loads(path.read_text())["results"]
    record = RunDirectory(qa.run_dir).read_record()
    for name, split in names.items():
        own = record.metric(f"qa/exact_match{{split={split}}}").value
        assert results[name]["exact_match,whole_answer"] == pytest.approx(own)
    assert record.metric("qa/exact_match{split=train_people}").value > 0


def test_a_scorecard_names_the_word_that_a_compact_vocabulary_lacks(
    people, exported, tmp_path, capsys
):
    if people.data.tokenizer is not TokenizerName.compact:
        pytest.skip("GPT-2's tokens spell every word")
    paths = ["--runs-dir", str(tmp_path / "runs"), "--output", str(tmp_path / "card")]
    assert scorecard.main([str(exported), "--tests", "figures,depth", "--people", "5", *paths]) == 2
    found = capsys.readouterr().err.splitlines()[-1]
    assert "no test can be measured; figures: its tokenizer has no token for" in found
    text = load_pretrained(exported).text
    text.require_words(["What is the major of?"])
    with pytest.raises(InputError, match="no token for ' Zanzibar', in 'What is the Zanzibar"):
        text.require_words(["What is", "What is the Zanzibar of?"])


def test_an_existing_folder_is_left_alone(qa, tmp_path, capsys):
    (tmp_path / "kept.txt").write_text("kept")
    assert main([str(qa.run_dir), str(tmp_path)]) == 2
    assert "is not empty; choose another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.slow
def test_what_cannot_be_exported_leaves_nothing(runs, tmp_path, capsys):
    words = ("data=cfg", "data.n_strings=40", *SMALL, "~eval")
    for extra, message in {
        ("model=bert",): "has an encoder, which predicts masked tokens",
        ("model=llama", "+mixer=gla", "model.position=none"): "model.mixer=gla; a Llama",
        ("model=gpt2_relative",): "model.position=relative; a GPT-NeoX checkpoint needs rope",
    }.items():
        run = trained(runs, *words[:2], *extra, *words[2:])
        assert main([str(run.run_dir), str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_over_and_a_checkpoint_are_refused(exported, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("seed: 0\n")
    for source, message in ((run, "is an unfinished run"), (exported, "checkpoint already")):
        assert main([str(source), str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_world_without_questions_is_exported_without_tasks(runs, tmp_path):
    words = ("data=cfg", "data.n_strings=40", *SMALL, "~eval")
    run = trained(runs, *words[:1], "model=llama", *words[1:], "data.exposures=1")
    assert main([str(run.run_dir), str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out/lm_eval").exists()
    assert transformers.AutoConfig.from_pretrained(tmp_path / "out").model_type == "llama"
