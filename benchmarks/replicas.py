"""Many seeds of one small experiment: one after the other, in processes, as replicas."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.timing import Row

_EXPOSURES = 30
_SMALL_RUN = ("+experiment=capacity_100x", f"data.exposures={_EXPOSURES}", "runtime.device=auto")


def replica_rows() -> list[Row]:
    """Runs per hour of whole commands, start and scoring included, each once."""
    if torch.cuda.is_available():  # dozens fit; one after the other, two show the pace
        return rows_of(_SMALL_RUN, n_serial=2, n_together=50)
    return rows_of(_SMALL_RUN, n_serial=8, n_together=8)


def rows_of(words: tuple[str, ...], *, n_serial: int, n_together: int) -> list[Row]:
    """The same for any run.

    Args:
        words: Choose the run.
        n_serial: Seeds one after the other, in one process.
        n_together: Seeds in one program, or in processes.
    """
    _runs_per_hour(1, *words)  # fills the compiler's cache
    seeds = ",".join(map(str, range(n_serial)))
    serial = _runs_per_hour(n_serial, *words, f"seed={seeds}", "launcher=serial", "--multirun")
    ways = {"replicas in one program": "true"}
    if not torch.cuda.is_available():
        ways["a process for each core"] = "false"
    return [
        Row(
            f"{n_together} seeds of a small run: {how}",
            f"{_EXPOSURES} exposures, 27 thousand parameters",
            "one after the other",
            _runs_per_hour(n_together, *words, f"seeds={n_together}", f"runtime.replicas={is_one}"),
            serial,
            "runs/hour",
        )
        for how, is_one in ways.items()
    ]


def _runs_per_hour(n_seeds: int, *words: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "physlm.run", *words),
                *("runtime.progress_bar=false", f"runs_dir={folder}"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - began
        assert len(list(Path(folder).glob("*/record.json"))) == n_seeds
    return 3600 * n_seeds / seconds
