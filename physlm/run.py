"""The command line: compose a configuration, check it, run it, show the results."""

import os
import sys
from pathlib import Path
from types import ModuleType

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from physlm.api.runs import Run, carried_out, run
from physlm.config import RunConfig, register, run_config
from physlm.config.application import run_application
from physlm.config.lineage import lineage
from physlm.early_end import INTERRUPTED
from physlm.errors import FailedPointError, InputError, RunInUseError
from physlm.fork_server import begin_loading
from physlm.loading import uncollected
from physlm.messages import explain
from physlm.outcome import EndedPoint, Outcome, Replication, faults, settled_replication
from physlm.points import SweepApplication
from physlm.record import RunRecord
from physlm.report.points import Point, table_of_points
from physlm.report.printed import table, table_of_many
from physlm.run_directory import RunDirectory
from physlm.train.runtime import Device
from physlm.watching import harmless, outlive_readers, table_console

_NOTHING_CHOSEN = (
    "Nothing to run: give +experiment=NAME for a published claim, or data=bios for the default run "
    "(10,000 people, hours on two cores).\n"
)


def main() -> None:
    """Run one point or a sweep; the exit status reports failures."""
    outlive_readers()
    statuses: list[int] = []

    def point(composed: DictConfig) -> EndedPoint:
        ended = _run_point(composed)
        statuses.append(ended.status)
        return ended

    try:
        register()
        words = sys.argv[1:]
        if not words:
            print(_NOTHING_CHOSEN)
        run_application(words or ["--help"], point, "config", SweepApplication)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        sys.exit(explain(error))
    sys.exit(max(statuses, default=0))


def _run_point(composed: DictConfig) -> EndedPoint:
    """One point, alone or of a sweep; an error becomes a line and its exit status."""
    outlive_readers()  # in a process of a sweep, too
    prefix = ""
    is_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    if is_sweep:
        prefix = f"point {HydraConfig.get().job.override_dirname}: "
    run_dirs: tuple[Path, ...] = ()
    try:
        config = run_config(composed)
        run_dirs = tuple(point.run_dir for point in config.points)
        if not is_sweep:
            _refuse_to_compute_here(config)
        if is_sweep or len(config.points) > 1:
            _refuse_helpers_of_a_sweep(config)
        if len(config.points) > 1:
            show_replication(settled_replication(config) or _replicated(config), config)
        else:
            _run_alone(config.points[0], is_sweep=is_sweep)
    except RunInUseError as error:
        if is_sweep:
            return EndedPoint(0, run_dirs, in_use=error.path)
        return EndedPoint(explain(error, prefix), run_dirs)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        status = explain(error, prefix)
        if is_sweep and status == INTERRUPTED:
            sys.exit(status)
        return EndedPoint(status, run_dirs)
    return EndedPoint(0, run_dirs)


def _replicated(config: RunConfig) -> Replication:
    if not config.runtime.replicas and config.runtime.device is not Device.cuda:
        begin_loading()
    with uncollected():
        from physlm.replication import replicate  # loads torch

    return replicate(config)


def _run_alone(point: RunConfig, *, is_sweep: bool) -> None:
    """One run and its table.

    Raises:
        RunInUseError: If another process works on it or, in a sweep, on a run that it starts from.
        DivergedError: If the loss was not finite.
        UnmeasuredError: If a scorer failed.
    """
    _refuse_replicas_of_one(point)
    if is_sweep:
        _require_free_parents(point)
    # Other processes of a distributed run would start without the one that finds it in use.
    is_distributed = point.runtime.n_devices * point.runtime.n_nodes > 1
    outcome = carried_out(point, waits=is_sweep and is_distributed)
    if outcome is not None:
        with harmless("printing the table"):
            show(outcome, point)
        outcome.record.raise_unless_finished()


def _require_free_parents(point: RunConfig) -> None:
    """Postpone a point that would have to wait for another process."""
    for earlier in map(RunDirectory, (one.run_dir for one in lineage(point)[:-1])):
        if not earlier.record.exists() and earlier.is_in_use():
            raise RunInUseError(earlier.path)


def _refuse_replicas_of_one(config: RunConfig) -> None:
    if config.runtime.replicas:
        raise InputError(
            "runtime.replicas=true needs several seeds or learning_rates; this is a single run, "
            "set seeds=5 or leave it out"
        )


def _refuse_to_compute_here(config: RunConfig) -> None:
    """Refuse a single run for Slurm; a command that names the launcher is a sweep of one point."""
    if config.launcher is not None:
        raise InputError("launcher=slurm is chosen by a file; add --multirun to submit jobs")


def _refuse_helpers_of_a_sweep(config: RunConfig) -> None:
    """Refuse several devices in a sweep: each helper process would run the whole sweep again."""
    is_alone = config.runtime.n_devices * config.runtime.n_nodes == 1
    if not is_alone and config.launcher is None and "SLURM_PROCID" not in os.environ:
        raise InputError(
            f"runtime.n_devices={config.runtime.n_devices} in a sweep; several devices per point "
            "need launcher=slurm, which starts every process itself"
        )


def show(outcome: Outcome, config: RunConfig) -> None:
    """Print the table of a run, and as the last line the path of its record."""
    console = table_console()
    if outcome.was_done and config.launcher is None:
        console.print("finished before; force=true runs it again")
    if outcome.outdated:
        console.print(
            f"{'; '.join(outcome.outdated)}: rescore=true measures again, without training"
        )
    if config.parent is not None:
        console.print(f"started from {config.parent.run_dir}")
    console.print(table(outcome.record, config))
    print(f"record: {outcome.path}", flush=True)


def show_replication(replication: Replication, config: RunConfig) -> None:
    """Print a table per learning rate, and the path of their histogram.

    Raises:
        FailedPointError: If some failed; each reason is printed on a line.
    """
    console = table_console()
    records = [outcome.record for outcome in replication.outcomes]
    finished = [record for record in records if record.status == "finished"]
    n_before = sum(outcome.was_done for outcome in replication.outcomes)
    if n_before and config.launcher is None:
        console.print(f"{n_before} finished before; force=true runs them again")
    if notes := sorted({note for outcome in replication.outcomes for note in outcome.outdated}):
        console.print(f"{'; '.join(notes)}: rescore=true measures again, without training")
    by_rate: dict[float, list[RunRecord]] = {}
    for record in finished:
        by_rate.setdefault(record.config["optim"]["learning_rate"], []).append(record)
    for rate, alike in sorted(by_rate.items()):
        console.print(table_of_many(alike, config, rate))
    if len(by_rate) > 1:
        console.print(table_of_points([_point(record) for record in finished]))
    print(f"runs: {config.runs_dir}", flush=True)
    path = replication.directory / "histogram.png"
    is_drawn = n_before == len(config.points) and path.exists()
    with harmless(f"drawing {path}"):
        if is_drawn or _draw_histograms(finished, path):
            print(f"histogram: {path}", flush=True)
    errors = {**replication.errors, **faults(replication.outcomes)}
    if errors:
        status = max(explain(e, f"run {i}: ") for i, e in sorted(errors.items()))
        raise FailedPointError(status, n_failed=len(errors), n_points=len(config.points))


def _draw_histograms(records: list[RunRecord], path: Path) -> bool:
    from physlm.analysis.figures import draw_histograms  # loads Matplotlib

    return draw_histograms(records, path)


def _point(record: RunRecord) -> Point:
    """A run with its learning rate, by which it differs from others of its command."""
    return Point((f"optim.learning_rate={record.config['optim']['learning_rate']:g}",), (record,))


class _Callable(ModuleType):
    """The class of this module, so that `physlm.run(...)` is `physlm.api.run`."""

    def __call__(self, *words: str | RunConfig, **keys: object) -> Run:
        """`physlm.api.run`."""
        return run(*words, **keys)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    main()
