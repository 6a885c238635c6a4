"""Damaged files: noticed, or harmless; never a traceback, never another result without a word."""

import random
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physlm.data.texts.discourse import Person
from physlm.messages import explain
from tests.data.texts.test_mentions import DANA
from tests.faults.attempts import attempt
from tests.faults.counts import Counts
from tests.faults.kills import at_call, kill_by, stages_of
from tests.faults.reference import WORDS, Ended, run_directory

N_MUTATIONS = 200
ASKED_AGAIN = "the model was asked again for texts that are missing"

Read = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Subject:
    """Files that somebody may damage, and what reads them.

    Attributes:
        folder: Intact files.
        read: Reads all of them in a folder; what it found, as one text.
        unvouched: Files whose content no hash vouches for, with the reason.
    """

    folder: Path
    read: Read
    unvouched: Mapping[str, str]


def damaged(content: bytes, drawn: random.Random) -> bytes:
    """A file cut short, or with one to three bits flipped."""
    if not content:
        return bytes([drawn.randrange(256)])
    if drawn.random() < 0.3:
        return content[: drawn.randrange(len(content))]
    found = bytearray(content)
    for _ in range(drawn.randint(1, 3)):
        found[drawn.randrange(len(found))] ^= 1 << drawn.randrange(8)
    return bytes(found)


def told(read: Read, folder: Path) -> Callable[[], None]:
    """Print what a reader finds; an error is one line, as in every command."""

    def call() -> None:
        try:
            sys.stdout.write(read(folder))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - as in every command
            sys.exit(explain(error))

    return call


def read_finished(folder: Path) -> str:
    """What a finished run says: its record, its weights and its curves."""
    import physlm
    from physlm.weights import kept_weights, load_weights

    run = physlm.load(folder)
    model = run.config.architecture.build(
        _vocabulary_size(run), run.config.data.seq_len, run.config.seed
    )
    from physlm.run_directory import RunDirectory

    load_weights(
        model,
        kept_weights(run.record.origin, RunDirectory(folder)),
        seq_len=run.config.data.seq_len,
    )
    return repr(
        (run.record.metrics, _digest({n: p.numpy() for n, p in model.state_dict().items()}))
    ) + repr(run.curves.rows())


def _vocabulary_size(run: object) -> int:
    from physlm.preparation import corpus_of

    return corpus_of(run.config).vocabulary.size


def resumed(folder: Path) -> str:
    """What becomes of an interrupted run."""
    from physlm.config import composed, register
    from physlm.pipeline import execute
    from physlm.run_directory import RunDirectory

    register()
    outcome = execute(composed(WORDS), RunDirectory(folder))
    assert outcome is not None
    weights = (folder / "model.safetensors").read_bytes()
    return repr((outcome.record.metrics, hash(weights), Ended.of(folder).curves))


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    from physlm.arrays import digest

    return digest(arrays)


def read_results(folder: Path) -> str:
    from physlm.arrays import read_arrays
    from physlm.frames import read_frame

    digests, sha = (folder / "stated").read_text().split()
    arrays = read_arrays(folder / "arrays.npz", {"one": digests})
    frame = read_frame(folder / "table.parquet", sha)
    return repr((_digest(arrays["one"]), frame.rows()))


def write_results(folder: Path) -> None:
    import polars as pl

    from physlm.arrays import keep_arrays
    from physlm.frames import write_frame
    from physlm.sources import sha256

    arrays = {"a": np.arange(1000.0), "b": np.array(["x", "yy"])}
    keep_arrays({"one": arrays}, folder / "arrays.npz")
    write_frame(pl.DataFrame({"n": range(100), "t": ["x"] * 100}), folder / "table.parquet")
    stated = f"{_digest(arrays)} {sha256(folder / 'table.parquet')}"
    (folder / "stated").write_text(stated)


def read_corpus(folder: Path) -> str:
    from physlm.data.stored import read_corpus as read

    found = read(folder)
    return repr((found.tokens.tolist(), found.starts.tolist()))


def write_corpus(folder: Path) -> None:
    from physlm.config import composed, register
    from physlm.data.export import write_corpus as write
    from physlm.preparation import corpus_of

    register()
    write(corpus_of(composed(WORDS)), folder / "corpus", n_epochs=1, description={})
    for path in (folder / "corpus").iterdir():
        path.rename(folder / path.name)
    (folder / "corpus").rmdir()


def read_lenses(folder: Path) -> str:
    from physlm.analysis.lenses.jacobian_lens import JacobianLens
    from physlm.analysis.lenses.lens_files import read_lens

    found = read_lens(folder)
    jacobian = JacobianLens.load(folder / "jacobian.pt", _model())
    arrays = {f"j{k}": matrix.numpy() for k, matrix in jacobian.jacobians.items()}
    return _digest({"w": found.weight.numpy(), "b": found.bias.numpy(), **arrays})


def write_lenses(folder: Path) -> None:
    import torch

    from physlm.analysis.lenses.jacobian_lens import JacobianLens
    from physlm.analysis.lenses.lens_files import write_lens

    model, generator = _model(), torch.Generator().manual_seed(0)
    weight = torch.randn(2, 8, 8, generator=generator)
    write_lens(
        model, weight, weight[:, 0], folder, model_name="m", model_revision=None, has_pickle=False
    )
    JacobianLens(model, {0: weight[0], 1: weight[1]}).save(folder / "jacobian.pt")


def _model() -> object:
    from physlm.models.architecture import DecoderConfig

    return DecoderConfig(d_model=8, n_heads=1).build(20, 8, 0)


def read_answers(folder: Path) -> str:
    """The texts of people that a model has written, from the answers that were kept."""
    import polars as pl

    from physlm.data.texts.rewriting import rewrite

    def refuse(_: object) -> None:
        raise RuntimeError  # every answer was there

    persons = _persons()
    try:
        path = rewrite(persons, refuse, folder / "texts.parquet", n_texts=1, max_tries=2, seed=0)
    except RuntimeError:
        return ASKED_AGAIN
    return repr(pl.read_parquet(path).rows())


def write_answers(folder: Path) -> None:
    from physlm.data.texts.rewriting import rewrite

    persons = _persons()

    def write(prompts):
        for i, _ in enumerate(prompts):
            one = persons[i]
            yield i, f"{one.name}. " + " ".join(f"{fact}." for fact in one.facts.values())

    rewrite(persons, write, folder / "texts.parquet", n_texts=1, max_tries=2, seed=0)
    (folder / "texts.parquet").unlink()


def _persons() -> list[Person]:
    return [DANA, DANA._replace(name="Ada Bell")]


def made_in_a_copy(write: Callable[[Path], None], folder: Path) -> None:
    """Write files in a process of its own: threads of libraries do not survive in copies."""
    folder.mkdir()
    done = attempt((), folder.parent, call=lambda: write(folder))
    assert done.status == 0, done.err


def subjects(folder: Path) -> dict[str, Subject]:
    """Everything that is damaged, made anew."""
    found = {}
    _, stages = stages_of(folder / "finished")
    finished = run_directory(folder / "finished")
    first, last = next((a, b) for name, a, b in stages if name == "training")
    attempt(WORDS, folder / "begun", before=at_call((first + last) // 2, kill_by(9)))
    begun = run_directory(folder / "begun")
    assert finished is not None
    assert begun is not None
    assert (begun / "last.ckpt").exists()
    shown = {
        "config.yaml": "is written for readers, and read by no command",
        "figure.png": "is drawn for readers",
        "lock": "has no content",
        "metrics.jsonl": "curves are not vouched for, beyond being rows of numbers",
    }
    found["finished run"] = Subject(finished, read_finished, shown)
    found["interrupted run"] = Subject(begun, resumed, shown)
    made = {
        "results": (write_results, read_results, {}),
        "corpus": (
            write_corpus,
            read_corpus,
            {
                "manifest.json": "vouches for the other files, and nothing for it",
                "README.md": "is written for readers",
            },
        ),
        "lens": (write_lenses, read_lenses, {"config.json": "names the model for readers"}),
        "rewriting": (write_answers, read_answers, {}),
    }
    for name, (write, read, unvouched) in made.items():
        made_in_a_copy(write, folder / name)
        found[name] = Subject(folder / name, read, unvouched)
    return found


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Damage every file in turn, and read."""
    counts, drawn = Counts("mutations", N_MUTATIONS), random.Random(seed)
    every = subjects(folder)
    right = {}
    for name, one in every.items():
        copy = folder / "copy"
        shutil.copytree(one.folder, copy)
        done = attempt((), folder / "work", call=told(one.read, copy))
        assert done.status == 0, f"{name}: {done.words}"
        right[name] = done.out
        shutil.rmtree(copy)
    files = [
        (name, path.relative_to(one.folder))
        for name, one in every.items()
        for path in sorted(one.folder.rglob("*"))
        if path.is_file() and path.name != "stated"  # which stands for the record
    ]
    n_unvouched = 0
    for i in range(max(1, round(size * N_MUTATIONS))):
        name, path = files[i % len(files)]
        one, copy = every[name], folder / "copy"
        shutil.copytree(one.folder, copy)
        (copy / path).write_bytes(damaged((copy / path).read_bytes(), drawn))
        done = attempt((), folder / "work", call=told(one.read, copy))
        outcome = done.outcome
        if outcome == "survived" and done.out not in (right[name], ASKED_AGAIN):
            if str(path) in one.unvouched:
                n_unvouched += 1
            else:
                outcome = "another result without a word"
        is_bad = outcome not in {"survived", "refused"}
        counts.note(f"{name}, {path}, mutation {i}: {outcome}" if is_bad else outcome, done.seconds)
        shutil.rmtree(copy)
    counts.notes.append(
        f"{n_unvouched} changed what is read of a file that nothing vouches for: "
        + "; ".join(
            f"{path} of a {name} {why}"
            for name, one in every.items()
            for path, why in one.unvouched.items()
            if name != "interrupted run"
        )
    )
    return counts
