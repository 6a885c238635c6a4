"""Many seeds of one small experiment: one after the other, in processes, as replicas."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.timing import Row
from physlm.config import RunConfig, composed, register
from physlm.pipeline import execute
from physlm.replication import replicate
from physlm.run_directory import RunDirectory

_EXPOSURES = 30
_SMALL_RUN = ("+experiment=capacity_100x", f"data.exposures={_EXPOSURES}", "runtime.device=auto")


def replica_rows() -> list[Row]:
    """Runs per hour of the whole command, start and scoring included, each way once."""
    if torch.cuda.is_available():  # dozens fit; one after the other, two show the pace
        return rows_of(_SMALL_RUN, n_serial=2, n_together=50)
    return rows_of(_SMALL_RUN, n_serial=8, n_together=8)


def rows_of(words: tuple[str, ...], *, n_serial: int, n_together: int) -> list[Row]:
    """The same for any run.

    Args:
        words: Choose the run.
        n_serial: Seeds one after the other.
        n_together: Seeds in one program, or in processes.
    """
    register()
    serial = _runs_per_hour(composed((*words, f"seeds={n_serial}")), _one_after_the_other)
    config = composed((*words, f"seeds={n_together}"))
    others = {"replicas in one program": _runs_per_hour(_with(config, is_one=True), _replicate)}
    if not torch.cuda.is_available():
        others["a process for each core"] = _runs_per_hour(_with(config, is_one=False), _replicate)
    work = f"{n_together} seeds of a small run"
    shape = f"{_EXPOSURES} exposures, 27 thousand parameters"
    return [
        Row(f"{work}: {how}", shape, "one after the other", ours, serial, "runs/hour")
        for how, ours in others.items()
    ]


def _with(config: RunConfig, *, is_one: bool) -> RunConfig:
    return replace(config, runtime=replace(config.runtime, replicas=is_one))


def _runs_per_hour(config: RunConfig, run: Callable[[RunConfig], None]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        runtime = replace(config.runtime, progress_bar=False)
        began = time.perf_counter()
        run(replace(config, runs_dir=folder, runtime=runtime))
        seconds = time.perf_counter() - began
        assert len(list(Path(folder).glob("*/record.json"))) == config.seeds
    return 3600 * config.seeds / seconds


def _one_after_the_other(config: RunConfig) -> None:
    for point in config.points:
        execute(point, RunDirectory(point.run_dir))


def _replicate(config: RunConfig) -> None:
    replicate(config)
