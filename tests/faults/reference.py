"""The run of seconds that faults are done to, as it ends when nothing happens to it."""

import json
from dataclasses import dataclass
from pathlib import Path

from physlm.publication import is_of_a_curve
from physlm.record import RunRecord, read_record
from physlm.run_directory import read_curves
from tests.command_line import TINY_RUN
from tests.faults.attempts import attempt

# Checkpoints after every step, so that most moments are near one.
WORDS = (
    *TINY_RUN,
    "runtime.n_threads=1",
    "runtime.compile=false",
    "runtime.checkpoint_seconds=0",
    "runtime.steps_per_chunk=1",
)
_OF_SPEED = "train/tokens_per_second"


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished run: its weights, its record, its curves without speeds, and all of its files."""

    weights: bytes
    record: RunRecord
    curves: list[dict[str, float]]
    files: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> "Ended":
        rows = [row for row in read_curves(folder / "metrics.jsonl") if is_of_a_curve(row)]
        return cls(
            weights=(folder / "model.safetensors").read_bytes(),
            record=read_record(folder / "record.json"),
            curves=[{k: v for k, v in row.items() if k != _OF_SPEED} for row in rows],
            files=frozenset(p.relative_to(folder).as_posix() for p in folder.rglob("*")),
        )

    def differences(self, other: "Ended") -> str:
        """What differs between two runs; empty if nothing does."""
        found = []
        if self.weights != other.weights:
            found.append("other weights")
        if self.record.metrics != other.record.metrics:
            found.append("other metrics")
        if self.curves != other.curves:
            steps = [[row["step"] for row in one.curves] for one in (self, other)]
            found.append(f"other curves {json.dumps(steps)[:200]}")
        if self.files != other.files:
            found.append(f"other files: {', '.join(sorted(self.files ^ other.files))}")
        return "; ".join(found)


def run_directory(folder: Path) -> Path | None:
    """The only run directory below a working directory; None before it exists."""
    found = [path.parent for path in folder.glob("runs/*/config.yaml")]
    assert len(found) < 2
    return found[0] if found else None


def uninterrupted(folder: Path) -> Ended:
    """The run to which nothing happens."""
    done = attempt(WORDS, folder)
    assert done.status == 0, done.words
    path = run_directory(folder)
    assert path is not None
    return Ended.of(path)


def completed(folder: Path, whole: Ended, words: tuple[str, ...] = WORDS) -> str:
    """Run the same command again; what differs from the run to which nothing happened."""
    done = attempt(words, folder)
    if done.status != 0 or done.err:
        return f"the same command again: {done.words}"
    path = run_directory(folder)
    return whole.differences(Ended.of(path)) if path is not None else "no run directory"
