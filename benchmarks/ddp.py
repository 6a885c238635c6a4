"""The same training by two ranks, by two processes with shared memory, and by one process."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.shapes import ON_CPU, Shape
from benchmarks.timing import Row
from physlm.run_directory import RunDirectory, read_curves

_TURNS = 3
_PRECISIONS = ("fp32", "bf16")  # of the first shapes, the faster one of each
# Ranks, and cores for each.
_WAYS = {"two ranks": (2, 1), "one process": (1, 1), "two parts, two cores": (1, 2)}


def ddp_rows() -> Iterator[Row]:
    """Tokens per second on a CPU with two cores, once everything is compiled and started."""
    for shape, precision in zip(ON_CPU, _PRECISIONS, strict=False):
        turns = [_turn(shape, precision) for _ in range(_TURNS)]
        speeds = {way: statistics.median(turn[way] for turn in turns) for way in _WAYS}
        ours = speeds.pop("two ranks")
        for peer, theirs in speeds.items():
            work = f"training by two ranks ({precision}, compiled)"
            yield Row(work, shape.name, peer, ours, theirs, "tokens/s")


def _turn(shape: Shape, precision: str) -> dict[str, float]:
    found = {way: _speed(shape, precision, *given) for way, given in _WAYS.items()}
    print(f"{shape.name}: " + "; ".join(f"{w} {v:,.0f}" for w, v in found.items()), flush=True)
    return found


def _speed(shape: Shape, precision: str, n_ranks: int, n_cores: int) -> float:
    """Median over chunks of steps in the second half of a run."""
    with tempfile.TemporaryDirectory() as folder:
        words = [folder, ON_CPU.index(shape), precision, n_ranks, n_cores]
        # The ranks are copies of the process, hence one that does nothing else.
        subprocess.run([sys.executable, "-m", "benchmarks.ddp_run", *map(str, words)], check=True)
        rows = read_curves(RunDirectory(Path(folder)).metrics)
    speeds = [row["train/tokens_per_second"] for row in rows if "train/tokens_per_second" in row]
    return statistics.median(speeds[len(speeds) // 2 :])
