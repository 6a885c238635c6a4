"""Many seeds of one small experiment: one after the other, in processes, as replicas."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.timing import Row

_N_SEEDS, _EXPOSURES = 8, 30


def replica_rows() -> list[Row]:
    """Runs per hour of whole commands, start and scoring included, each once."""
    n_seeds = 100 if torch.cuda.is_available() else _N_SEEDS
    seeds = ",".join(map(str, range(n_seeds)))
    serial = _runs_per_hour(n_seeds, f"seed={seeds}", "launcher=serial", "--multirun")
    ways = {"replicas in one program": "true"}
    if not torch.cuda.is_available():
        ways["a process for each core"] = "false"
    work = f"{n_seeds} seeds of a small run"
    shape = f"{_EXPOSURES} exposures, 27 thousand parameters"
    return [
        Row(
            f"{work}: {how}",
            shape,
            "one after the other",
            _runs_per_hour(n_seeds, f"seeds={n_seeds}", f"runtime.replicas={is_one}"),
            serial,
            "runs/hour",
        )
        for how, is_one in ways.items()
    ]


def _runs_per_hour(n_seeds: int, *words: str) -> float:
    experiment = ("+experiment=capacity_100x", f"data.exposures={_EXPOSURES}")
    with tempfile.TemporaryDirectory() as folder:
        runtime = ("runtime.device=auto", "runtime.progress_bar=false", f"runs_dir={folder}")
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "physlm.run", *experiment, *runtime, *words],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - began
        assert len(list(Path(folder).glob("*/record.json"))) == n_seeds
    return 3600 * n_seeds / seconds
