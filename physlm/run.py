"""The command line: compose a configuration, check it, run it, say what came out."""

import math
import os
import re
import statistics
import sys
import traceback
from collections.abc import Sequence

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from physlm.analysis.figures import draw_histograms
from physlm.config import RunConfig, Scale, config_dir, register_schemas, register_sweeps, typed
from physlm.errors import (
    DivergedError,
    InputError,
    InterruptedRunError,
    KilledProcessError,
    UnmeasuredError,
    never_stopping,
)
from physlm.pipeline import Outcome, execute
from physlm.record import RunDirectory, RunRecord, by_name
from physlm.replication import Replication, replicate

# Exit statuses: what the user gave, our own fault, asked to stop.
BAD_INPUT, FAULT, INTERRUPTED = 2, 1, 130

_WIDEST = 250  # columns of a table in a file or pipe, where nothing may be cut

# What a run can come to that is neither.
_ENDINGS: dict[type[BaseException], str] = {
    DivergedError: "diverged", KilledProcessError: "killed", UnmeasuredError: "not measured"
}  # fmt: skip

# Errors that a user can cause and mend, before or while computing.
_USER_ERRORS = (InputError, OSError, HydraException, OmegaConfBaseException)


class ScaleSearchPath(SearchPathPlugin):
    """Looks for configuration at the chosen scale first: `conf/at_scale/gpu` before `conf`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put the scale's folder first, where the scale has one."""
        folder = config_dir() / "at_scale" / _chosen_scale()
        if folder.is_dir():
            search_path.prepend("scale", f"file://{folder}")


def main() -> None:
    """Run one point or a sweep; the exit status says how it went."""
    register()
    statuses: list[int] = []

    def point(composed: DictConfig) -> None:
        statuses.append(_run_point(composed))

    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(point)()
    except Exception as error:  # noqa: BLE001 - the last place: every error becomes one line
        sys.exit(explain(error))
    sys.exit(max(statuses, default=0))


def register() -> None:
    """Make schemas, sweeps and scales known to Hydra, in this process."""
    one_line_errors()
    register_sweeps()
    register_scales()
    register_schemas()


def register_scales() -> None:
    """Have Hydra read the configuration of the scale that the command line chooses."""
    if _chosen_scale() not in {scale.value for scale in Scale}:
        sys.exit(explain(InputError(f"scale={_chosen_scale()}; one of laptop, gpu, paper")))
    Plugins.instance().register(ScaleSearchPath)


def one_line_errors() -> None:
    """Have Hydra raise what goes wrong, instead of printing a report of its own."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")


def _chosen_scale() -> str:
    """The scale on the command line; it decides which files are read, before they are composed."""
    chosen = [word.removeprefix("scale=") for word in sys.argv[1:] if word.startswith("scale=")]
    return chosen[-1] if chosen else "laptop"


def _run_point(composed: DictConfig) -> int:
    """One point, alone or of a sweep; its exit status.

    Raises:
        FailedPointError: If a point of a sweep failed, which stops no other point.
    """
    prefix = ""
    is_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    if is_sweep:
        prefix = f"point {HydraConfig.get().job.override_dirname}: "
    try:
        config = typed(composed, RunConfig)
        if is_sweep or len(config.points) > 1:
            _refuse_helpers_of_a_sweep(config)
        if len(config.points) > 1:
            show_replication(replicate(config, register), config)
            return 0
        _refuse_replicas_of_one(config)
        point = config.points[0]
        outcome = execute(point, RunDirectory(point.run_dir))
        if outcome is not None:
            with never_stopping("printing the table"):
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
    """A helper process would start from the command line, hence run the whole sweep again."""
    if config.runtime.n_devices * config.runtime.n_nodes > 1 and "SLURM_PROCID" not in os.environ:
        raise InputError(
            f"runtime.n_devices={config.runtime.n_devices} in a sweep; several devices per point "
            "need launcher=slurm, which starts every process itself"
        )


class FailedPointError(RuntimeError):
    """A point of a sweep failed, and has said why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def show(outcome: Outcome, config: RunConfig) -> None:
    """The table of a run, and as the last line where its record is."""
    console = Console(width=None if sys.stdout.isatty() else _WIDEST)
    if outcome.was_done:
        console.print("finished before; force=true runs it again")
    if outcome.outdated:
        console.print(f"{'; '.join(outcome.outdated)}: rescore=true measures again, untrained")
    if config.ancestor is not None:
        console.print(f"started from {config.ancestor.run_dir}")
    console.print(table(outcome.record, config))
    print(f"record: {outcome.path}", flush=True)


def show_replication(replication: Replication, config: RunConfig) -> None:
    """A table of many runs for each learning rate, and where their histogram is.

    Raises:
        FailedPointError: If some did not come to an end; why is told line by line.
    """
    console = Console(width=None if sys.stdout.isatty() else _WIDEST)
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
    if any(record.metrics for record in finished):
        path = replication.directory / "histogram.png"
        with never_stopping(f"drawing {path}"):
            draw_histograms(finished, path)
            print(f"histogram: {path}", flush=True)
    errors = dict(replication.errors)
    for record in records:
        try:
            record.raise_unless_finished()
        except (DivergedError, UnmeasuredError) as error:
            errors[record.run_id] = error
    if errors:
        raise FailedPointError(max(explain(e, f"run {i}: ") for i, e in sorted(errors.items())))


def table_of_many(records: Sequence[RunRecord], config: RunConfig, rate: float) -> Table:
    """Mean and spread over runs, beside the published numbers."""
    result = Table(
        title=f"{config.name} (n = {len(records)} runs, learning rate {rate:g})",
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    for heading in ("metric", "mean", "stderr", "deviation", "least", "most", "paper", "unit"):
        result.add_column(heading, justify="left" if heading in {"metric", "unit"} else "right")
    if config.published_of:
        result.caption = f"paper: {config.published_of}"
    measured = [by_name(record.metrics) for record in records]
    for name, metric in {n: m for metrics in measured for n, m in metrics.items()}.items():
        values = [metrics[name].value for metrics in measured if name in metrics]
        deviation = statistics.stdev(values) if len(values) > 1 else None
        paper = config.published.get(name)
        result.add_row(
            name if len(values) == len(records) else f"{name} (n = {len(values)})",
            f"{statistics.mean(values):,.4g}",
            "" if deviation is None else f"{deviation / math.sqrt(len(values)):.2g}",
            "" if deviation is None else f"{deviation:.2g}",
            f"{min(values):,.4g}", f"{max(values):,.4g}",
            "" if paper is None else f"{paper:g}", metric.unit,
        )  # fmt: skip
    return result


def table(record: RunRecord, config: RunConfig) -> Table:
    """Measured beside published, and what the run cost."""
    result = Table(
        title=f"{record.name} (seed {record.config['seed']}, n = 1 run)", title_justify="left",
        caption_justify="left",
    )  # fmt: skip
    for heading in ("metric", "measured", "stderr", "paper", "unit"):
        result.add_column(heading, justify="left" if heading in {"metric", "unit"} else "right")
    metrics = by_name(record.metrics)
    if config.published_of and not config.published.keys().isdisjoint(metrics):
        result.caption = f"paper: {config.published_of}"
    for name, metric in metrics.items():
        paper = config.published.get(name)
        result.add_row(
            name,
            f"{metric.value:,.4g}" if abs(metric.value) < 1e4 else f"{metric.value:,.0f}",
            "" if metric.stderr is None else f"{metric.stderr:.2g}",
            "" if paper is None else f"{paper:g}",
            metric.unit,
        )
    result.add_section()
    costs = (
        ("exposures counted", f"{record.exposures:g}", ""),
        ("parameters", f"{record.parameters['total']:,}", ""),
        *_active(record),
        ("optimizer steps", f"{record.steps:,}", ""),
        ("training speed", f"{record.tokens_per_second:,.0f}", "tokens/s"),
        ("training time", f"{record.wall_seconds:,.0f}", "s"),
    )
    for cost, value, unit in costs:
        result.add_row(cost, value, "", "", unit)
    return result


def _active(record: RunRecord) -> list[tuple[str, str, str]]:
    """How many parameters one token is computed with, where these are not all."""
    active = record.parameters.get("active")
    return [] if active is None else [("parameters active", f"{active:,}", "")]


def explain(error: BaseException, prefix: str = "") -> int:
    """One line on standard error, and the exit status that goes with it."""
    if os.environ.get("PHYSLM_TRACEBACK") == "1":
        traceback.print_exception(error)
    kind, status, hint = _kind(error)
    print(f"{prefix}{kind}: {_text(error)}{hint}", file=sys.stderr, flush=True)
    return status


def _text(error: BaseException) -> str:
    """An error's message on one line, with the cause that Hydra wraps."""
    if isinstance(error, FailedPointError):
        return "some points failed, the others ended well; the same command runs only those again"
    text = " ".join(str(error).split())
    if found := re.match(r"Could not override '([^']*)'", text):
        key = found.group(1)
        if key in {"experiment", "sweeps"}:
            return f"{key} needs a plus: write +{key}=NAME"
        return f"unknown key {key}; --help lists the keys"
    if isinstance(error, HydraException) and error.__cause__ is not None:
        text = f"{text}: {str(error.__cause__).splitlines()[0]}"
    return text.split(" Config search path:")[0] or type(error).__name__


def _kind(error: BaseException) -> tuple[str, int, str]:
    """What to call an error, its exit status, and a hint."""
    if isinstance(error, FailedPointError):
        return "sweep", error.status, ""
    if isinstance(error, (InterruptedRunError, KeyboardInterrupt)):
        return "interrupted", INTERRUPTED, ""
    if (ending := _ENDINGS.get(type(error))) is not None:
        return ending, FAULT, ""
    if isinstance(error, _USER_ERRORS):
        return "error", BAD_INPUT, ""
    return f"fault: {type(error).__name__}", FAULT, " (PHYSLM_TRACEBACK=1 shows where)"


if __name__ == "__main__":
    main()
