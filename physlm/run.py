"""The command line: compose a configuration, check it, run it, show the results."""

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from physlm.api import Run, carried_out, run
from physlm.config import RunConfig, config_dir, register, run_config
from physlm.errors import FailedPointError, InputError
from physlm.messages import INTERRUPTED, explain
from physlm.outcome import Outcome, faults
from physlm.record import RunRecord
from physlm.report.printed import table, table_of_many
from physlm.watching import harmless, outlive_readers, table_console

if TYPE_CHECKING:
    from physlm.replication import Replication


def main() -> None:
    """Run one point or a sweep; the exit status reports failures."""
    outlive_readers()
    statuses: list[int] = []

    def point(composed: DictConfig) -> None:
        statuses.append(_run_point(composed))

    try:
        refuse_odd_flags(sys.argv[1:])
        register()
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(point)()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        sys.exit(explain(error))
    sys.exit(max(statuses, default=0))


def refuse_odd_flags(words: Sequence[str]) -> None:
    """Refuse unknown flags in one line; the flag parser would print its whole usage.

    Raises:
        InputError: If flags are unknown, or do not come last.
    """

    def refuse(message: str) -> NoReturn:
        raise InputError(f"{message}; --help lists what can be given")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    known, unknown = parser.parse_known_args(words)
    if unknown and unknown[0].startswith("-"):
        refuse(f"unknown flag {unknown[0]}")
    if unknown:
        raise InputError(f"{unknown[0]} comes after a flag; write flags such as --multirun last")
    if known.experimental_rerun:
        raise InputError(
            f"--experimental-rerun {known.experimental_rerun}: no job files are kept; the same "
            "command goes on with a run"
        )


def _run_point(composed: DictConfig) -> int:
    """One point, alone or of a sweep; its exit status.

    Raises:
        FailedPointError: If a point of a sweep failed, which stops no other point.
    """
    outlive_readers()  # in a process of a sweep, too
    prefix = ""
    is_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    if is_sweep:
        prefix = f"point {HydraConfig.get().job.override_dirname}: "
    try:
        config = run_config(composed)
        if is_sweep or len(config.points) > 1:
            _refuse_helpers_of_a_sweep(config)
        if len(config.points) > 1:
            from physlm.replication import replicate  # loads torch

            show_replication(replicate(config), config)
            return 0
        _refuse_replicas_of_one(config)
        point = config.points[0]
        outcome = carried_out(point, waits=is_sweep)
        if outcome is not None:
            with harmless("printing the table"):
                show(outcome, point)
            outcome.record.raise_unless_finished()
    except (Exception, KeyboardInterrupt) as error:
        status = explain(error, prefix)
        if is_sweep and status != INTERRUPTED:
            raise FailedPointError(status) from error
        if is_sweep:
            sys.exit(status)
        return status
    return 0


def _refuse_replicas_of_one(config: RunConfig) -> None:
    if config.runtime.replicas:
        raise InputError(
            "runtime.replicas=true is of several seeds or learning rates, and this is one run; "
            "set seeds=5 or leave it out"
        )


def _refuse_helpers_of_a_sweep(config: RunConfig) -> None:
    """Refuse several devices in a sweep: each helper process would run the whole sweep again."""
    if config.runtime.n_devices * config.runtime.n_nodes > 1 and "SLURM_PROCID" not in os.environ:
        raise InputError(
            f"runtime.n_devices={config.runtime.n_devices} in a sweep; several devices per point "
            "need launcher=slurm, which starts every process itself"
        )


def show(outcome: Outcome, config: RunConfig) -> None:
    """Print the table of a run, and as the last line the path of its record."""
    console = table_console()
    if outcome.was_done:
        console.print("finished before; force=true runs it again")
    if outcome.outdated:
        console.print(f"{'; '.join(outcome.outdated)}: rescore=true measures again, untrained")
    if config.parent is not None:
        console.print(f"started from {config.parent.run_dir}")
    console.print(table(outcome.record, config))
    print(f"record: {outcome.path}", flush=True)


def show_replication(replication: "Replication", config: RunConfig) -> None:
    """Print a table per learning rate, and the path of their histogram.

    Raises:
        FailedPointError: If some failed; each reason is printed on a line.
    """
    console = table_console()
    records = [outcome.record for outcome in replication.outcomes]
    finished = [record for record in records if record.status == "finished"]
    if n_before := sum(outcome.was_done for outcome in replication.outcomes):
        console.print(f"{n_before} finished before; force=true runs them again")
    if notes := sorted({note for outcome in replication.outcomes for note in outcome.outdated}):
        console.print(f"{'; '.join(notes)}: rescore=true measures again, untrained")
    by_rate: dict[float, list[RunRecord]] = {}
    for record in finished:
        by_rate.setdefault(record.config["optim"]["learning_rate"], []).append(record)
    for rate, alike in sorted(by_rate.items()):
        console.print(table_of_many(alike, config, rate))
    path = replication.directory / "histogram.png"
    with harmless(f"drawing {path}"):
        from physlm.analysis.figures import draw_histograms

        if draw_histograms(finished, path):
            print(f"histogram: {path}", flush=True)
    errors = {**replication.errors, **faults(replication.outcomes)}
    if errors:
        raise FailedPointError(max(explain(e, f"run {i}: ") for i, e in sorted(errors.items())))


class _Callable(ModuleType):
    """The class of this module, so that `physlm.run(...)` is `physlm.api.run`."""

    def __call__(self, *words: str | RunConfig, **keys: object) -> Run:
        """`physlm.api.run`."""
        return run(*words, **keys)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    main()
