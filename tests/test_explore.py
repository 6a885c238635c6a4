"""The command that looks into a run or a checkpoint."""

import io
import json
import re
import shutil
import signal
import sys

import pytest
import torch

from physlm.analysis.lenses import TunedLens
from physlm.explore import main
from physlm.measurement import Metric
from physlm.report.exploration.opened import opened
from physlm.report.exploration.run_subject import world_of
from physlm.report.exploration.source import Source
from physlm.run_directory import RunDirectory
from tests.command_line import TINY_RUN, called, record_path
from tests.models.checkpoints import save_bytewise, transformers
from tests.report.exploration.explorations import subject
from tests.test_record import make_record

WORDS = [*TINY_RUN, "runtime.compile=false"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fresh run in `run`, and checkpoints in `model` and `mute`, which has no tokenizer."""
    folder = tmp_path_factory.mktemp("explore")
    done = called(*WORDS, f"runs_dir={folder}/runs", cwd=folder, check=0)
    record_path(done, folder).parent.rename(folder / "run")
    save_bytewise(folder / "model")
    shutil.copytree(
        folder / "model",
        folder / "mute",
        ignore=lambda *_: ["tokenizer.json", "tokenizer_config.json"],
    )
    return folder


def printed(capsys, *words):
    assert main(list(words)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_a_run_is_shown_with_a_document_of_its_world(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    out = printed(capsys, "run/record.json", "--document", "2", "--position", "4", "--top", "3")
    text, continuation, _, title, *_ = out.splitlines()
    assert text.startswith("text: <|endoftext|> ")
    assert continuation.startswith("continuation: ")
    assert "(position 4), logit lens" in title
    assert out.splitlines()[-2].startswith("picture: explore/trajectory.svg")
    assert out.splitlines()[-1] == "page: explore/trajectory.html"
    assert "\x1b" not in out
    assert (folder / "explore" / "trajectory.svg").read_text().startswith("<?xml")
    assert "</html>" in (folder / "explore" / "trajectory.html").read_text()


def test_a_model_of_unlimited_window_writes_as_much_as_is_asked_for(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    text, continuation, *_ = printed(capsys, "run", "--tokens", "30", "biga bape").splitlines()
    assert text == "text: <|endoftext|> biga bape"
    assert len(continuation.split()) == 31


SLOW_LENSES = [pytest.param(lens, marks=pytest.mark.slow) for lens in ("tuned", "saved")]


@pytest.mark.parametrize("lens", ["ridge", *SLOW_LENSES])
def test_the_lens_of_a_run_is_fitted_on_its_world_or_read(lens, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    if lens == "saved":
        model = world_of(folder / "run").model
        width = model.output_weight.shape[1]
        zeros = torch.zeros(model.n_layers, width, width)
        TunedLens(model, zeros, zeros[..., 0]).save(folder / "saved")
    out = printed(capsys, "run", "--lens", lens, "--tokens", "0")
    said = "tuned lens of saved" if lens == "saved" else f"{lens} lens, fitted on [0-9,]+ tokens"
    assert re.search(said, out)
    assert "continuation" not in out


def test_a_checkpoint_is_shown_with_a_lens_of_given_texts(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "texts.txt").write_text("Some other text, many times over. " * 50)
    lens = ["--lens", "ridge", "--lens-texts", "texts.txt"]
    out = printed(capsys, "model", "Alan Turing", "--tokens", "4", *lens, "--output", "out")
    assert out.startswith("text: Alan Turing\ncontinuation: ")
    assert "Next token after g (position 10), ridge lens, fitted on 1,695 tokens" in out
    assert (folder / "out" / "trajectory.html").is_file()


def test_lens_texts_are_read_as_texts_without_the_analysed_one(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    rows = [{"text": f"Text number {i}."} for i in range(9)]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lens = ["--lens", "ridge", "--lens-texts", "texts.jsonl"]
    out = printed(capsys, "model", "Text number 3.", "--tokens", "0", *lens)
    assert "ridge lens, fitted on 104 tokens" in out  # 8 texts of 14 bytes, without the first


@torch.no_grad()
def test_a_checkpoint_writes_what_its_library_finds_likeliest(folder):
    subject = opened(Source(folder / "model", is_run=False))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "model")
    tokens = subject.tokens_of("Alan Turing")
    written = subject.continuation(tokens, 4)
    for token in written:
        assert model(torch.tensor([tokens])).logits[0, -1].argmax() == token
        tokens.append(token)
    assert len(written) == 4


def test_a_text_is_shown_as_attention_graphs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    out = printed(capsys, "run", "--graph", "--head", "0", "--tokens", "3", "biga bape")
    assert out.startswith("text: <|endoftext|> biga bape\ncontinuation: ")
    assert "layer head entropy  self  sink previous fiedler" in out
    assert out.splitlines()[-2].startswith("picture: explore/graph.svg (layer ")
    assert out.splitlines()[-1] == "page: explore/graph.html"
    assert (folder / "explore" / "graph.svg").read_text().startswith("<?xml")
    assert "</html>" in (folder / "explore" / "graph.html").read_text()


@pytest.mark.slow
def test_the_graphs_of_a_checkpoint_are_shown(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    out = printed(capsys, "model", "--graph", "Alan Turing", "--position", "5", "--output", "out")
    assert "continuation" not in out
    assert (folder / "out" / "graph.html").is_file()


BAD = {
    "nowhere x": "nowhere does not exist; name a run directory or a checkpoint's folder",
    "empty x": "empty has neither record.json nor config.json",
    "many x": "many holds 1 runs; name one, such as many/run",
    "half x": "half is an unfinished run; give its command again to finish it",
    "diverged x": "diverged diverged at step 7 and has no weights; choose another run",
    "run x": "'x' is not in the vocabulary of this corpus; use its words, or --document N",
    "run x --document 1": "--document 1 with a text; give one of the two",
    "run --document 99": "--document 99; an epoch has documents 0 to 23",
    "run --position 99": "--position 99; the text and its continuation have positions 0 to ",
    "run --tokens -1": "--tokens -1; must be at least 0",
    "run --top 0": "--top 0; must be at least 1",
    "run --lens nowhere": "--lens nowhere; must be logit, tuned, ridge or the folder",
    "run --lens other": "the lens has width 16, and the model has width 8",
    "run --lens empty": "empty has no config.json; give the folder of a tuned lens",
    "run --lens-texts texts.txt": "--lens-texts with --lens logit; only tuned and ridge",
    "run --lens ridge --lens-texts texts.txt": "run is a run, whose lens is fitted on documents",
    "run --colour red": "invalid choice: 'red'",
    "run --layer 1": "--layer 1 without --graph; add it, or leave --layer out",
    "run --graph --layer 99": "--layer 99; the model has layers 0 to ",
    "run --graph --head 99": "--head 99; the model has heads 0 to ",
    "run --graph --head both": "--head both; must be the number of a head, from 0, or mean",
    "run --graph --lens ridge": "--lens ridge with --graph, which shows no predictions",
    "run --depth": "unrecognized arguments: --depth; --help lists the options",
    "run --output texts.txt": "texts.txt",
    "model": "model is a checkpoint, without documents of its own; give a text",
    "model x --lens ridge": "--lens ridge with a checkpoint, which has no documents of its own",
    "model x --lens ridge --lens-texts short.txt": "2 tokens to fit on, fewer than the width 8",
    "model x --lens ridge --lens-texts nowhere": "--lens-texts nowhere is not a file; name a .txt",
    "model x --lens ridge --lens-texts notes.md": "notes.md: must end in .json, .jsonl, .csv, .par",
    "model x --lens ridge --lens-texts blank.txt": "blank.txt contains no text; give a file",
    "model abc --lens ridge --lens-texts short.txt": "--lens-texts has no text but the analysed",
    "model x --tokens 1024": "a text of 1 tokens and --tokens 1024 exceeds the 1024 tokens",
    "mute x": "mute has no tokenizer.json; save the model's tokenizer there",
}


@pytest.fixture(scope="module")
def bad(folder):
    """Further folders, none of which can be explored."""
    for name in ("empty", "many/run", "half"):
        (folder / name).mkdir(parents=True)
    (folder / "half" / "config.yaml").write_text("seed: 0\n")
    shutil.copy(folder / "run" / "record.json", folder / "many" / "run")
    metrics = (Metric(name="a", value=1.0, unit="", n=1),)
    diverged = make_record(status="diverged", stopped_at_step=7, metrics=metrics)
    (folder / "diverged").mkdir()
    RunDirectory(folder / "diverged").write_record(diverged)
    model = subject().model
    zeros = torch.zeros(model.n_layers, 16, 16)
    TunedLens(model, zeros, zeros[..., 0]).save(folder / "other")
    (folder / "texts.txt").write_text("a text")
    (folder / "short.txt").write_text("abc")
    (folder / "blank.txt").write_text("\n \n")
    (folder / "notes.md").write_text("some notes")
    return folder


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_in_one_line(words, bad, monkeypatch, capsys):
    monkeypatch.chdir(bad)
    assert main(words.split()) == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert not "".join(before) or "Loading weights:" in before[1]  # as transformers says
    assert BAD[words] in line


class Interrupting(io.StringIO):
    """Standard output of a process that gets Ctrl-C as it begins to print."""

    def write(self, text):
        signal.raise_signal(signal.SIGINT)
        return len(text)


def test_ctrl_c_ends_in_one_line(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdout", Interrupting())
    assert main(["run"]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "interrupted: asked to stop; run the same command to resume"
