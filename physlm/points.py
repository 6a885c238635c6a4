"""Launching the points of a sweep by Hydra; points in use by other processes come last."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode, TaskFunction

from physlm.config.application import Application
from physlm.errors import FailedPointError, InputError
from physlm.outcome import EndedPoint
from physlm.record import RunRecord, read_record
from physlm.report.points import Point, table_of_points
from physlm.run_directory import RunDirectory, first_free
from physlm.slurm.launcher import SlurmLauncher
from physlm.watching import harmless, table_console


class SweepApplication(Application):
    """Launches the points of a sweep, so that copies of one command share the work.

    A point whose run another process works on is launched when that process has ended: what it
    finished is not repeated, and what it left is resumed.
    """

    def multirun(
        self,
        config_name: str | None,
        task_function: TaskFunction,
        overrides: list[str],
        with_log_configuration: bool = True,
    ) -> None:
        """Launch all points of a command line, and show one table of them.

        Args:
            config_name: The primary configuration.
            task_function: Runs one point, and returns an `EndedPoint`.
            overrides: Of the command line.
            with_log_configuration: As in Hydra.

        Raises:
            FailedPointError: If points failed.
        """
        config = self.compose_config(
            config_name, overrides, RunMode.MULTIRUN, with_log_configuration
        )
        sweeper: Any = Plugins.instance().instantiate_sweeper(
            config=config,
            hydra_context=HydraContext(self.config_loader, Callbacks(config)),
            task_function=task_function,
        )
        folder = Path(config.hydra.sweep.dir)
        if config.launcher is not None:
            sources = config.hydra.runtime.config_sources
            config_dirs = [one.path for one in sources if one.provider == "command-line"]
            sweeper.launcher = SlurmLauncher(sweeper.launcher, folder, config_dirs)
        batches = sweeper.sweep(list(config.hydra.overrides.task))
        if batches is None:
            raise InputError(
                "hydra/sweeper: only Hydra's basic sweeper lists its points; leave it out"
            )
        ended = {words: point for batch in batches for words, point in _ended(batch)}
        while in_use := {words: p.in_use for words, p in ended.items() if p.in_use is not None}:
            free = first_free(in_use.values())
            again = [list(words) for words, path in in_use.items() if path in free]
            ended |= dict(_ended(sweeper.launcher.launch(again, initial_job_idx=0)))
        is_shown = len(ended) > 1 or config.launcher is None
        if is_shown and not any(point.is_queued for point in ended.values()):
            with harmless("printing the table of points"):
                show_points(ended, folder)
        if failed := [point.status for point in ended.values() if point.status]:
            if len(ended) == 1:
                sys.exit(failed[0])
            raise FailedPointError(max(failed), n_failed=len(failed), n_points=len(ended))


def show_points(ended: Mapping[tuple[str, ...], EndedPoint], folder: Path) -> None:
    """Print one table of all points, and the folder of their logs.

    Args:
        ended: The points by their overrides.
        folder: Of the sweep.
    """
    points = [Point(words, tuple(_records(point))) for words, point in ended.items()]
    table_console().print(table_of_points(points))
    print(f"logs: {folder}", flush=True)


def _records(point: EndedPoint) -> Iterator[RunRecord]:
    for path in point.run_dirs:
        if RunDirectory(path).record.exists():
            yield read_record(RunDirectory(path).record)


def _ended(jobs: Iterable[Any]) -> Iterator[tuple[tuple[str, ...], EndedPoint]]:
    """The points of Hydra's jobs, by their overrides."""
    for job in jobs:
        yield tuple(job.overrides), job.return_value
