"""The command line: compose a configuration, check it, run it, say what came out."""

import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

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

from physlm.config import RunConfig, config_dir, register_schemas, to_run_config
from physlm.errors import DivergedError, InputError, InterruptedRunError
from physlm.pipeline import Outcome, execute
from physlm.record import RunDirectory, RunRecord, write_text

# Exit statuses: what the user gave, our own fault, asked to stop.
BAD_INPUT, FAULT, INTERRUPTED = 2, 1, 130

# Errors that a user can cause and mend, before or while computing.
_USER_ERRORS = (ValueError, OSError, HydraException, OmegaConfBaseException)


class SweepsSearchPath(SearchPathPlugin):
    """Finds `sweeps/`, which lies beside `conf/`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder that holds both."""
        search_path.append("physlm", f"file://{config_dir().parent}")


def main() -> None:
    """Run one point or a sweep; the exit status says how it went."""
    _be_quiet()
    # Without this Hydra prints its own report of every error and exits.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    Plugins.instance().register(SweepsSearchPath)
    register_schemas()
    entry = hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")
    try:
        entry(_run_point)()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the last place: every error becomes one line
        sys.exit(_explain(error))


def _run_point(composed: DictConfig) -> None:
    """One point, alone or of a sweep; in a sweep its failure is told here and noted for the end."""
    is_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        config = to_run_config(composed)
        outcome = execute(config, RunDirectory(config.run_dir))
    except Exception as error:
        if is_sweep:
            print(f"point {HydraConfig.get().job.override_dirname} failed:", file=sys.stderr)
            _explain(error)
        raise
    show(outcome)
    if outcome.record.status == "diverged":
        raise DivergedError(outcome.record.stopped_at_step or 0)


def show(outcome: Outcome) -> None:
    """The table of a run, and as the last line where its record is."""
    console = Console(width=None if sys.stdout.isatty() else 100)
    if outcome.was_done:
        console.print("finished before; force=true runs it again")
    console.print(table(outcome.record))
    print(f"record: {outcome.path}", flush=True)


def table(record: RunRecord) -> Table:
    """Measured beside published, and what the run cost."""
    result = Table(title=f"{record.name} (seed {record.config['seed']}, n = 1 run)", title_justify="left")
    for heading in ("metric", "measured", "stderr", "paper", "unit"):
        result.add_column(heading, justify="left" if heading in {"metric", "unit"} else "right")
    for metric in record.metrics:
        paper = record.published.get(metric.name)
        result.add_row(
            metric.name,
            f"{metric.value:,.4g}" if abs(metric.value) < 1e4 else f"{metric.value:,.0f}",
            "" if metric.stderr is None else f"{metric.stderr:.2g}",
            "" if paper is None else f"{paper:g}",
            metric.unit,
        )
    result.add_section()
    costs = (
        ("exposures counted", f"{record.exposures:g}", ""),
        ("parameters", f"{record.parameters['total']:,}", ""),
        ("optimizer steps", f"{record.steps:,}", ""),
        ("training speed", f"{record.tokens_per_second:,.0f}", "tokens/s"),
        ("training time", f"{record.wall_seconds:,.0f}", "s"),
    )
    for name, value, unit in costs:
        result.add_row(name, value, "", "", unit)
    return result


def _explain(error: BaseException) -> int:
    """One line on standard error, and the exit status that goes with it."""
    if os.environ.get("PHYSLM_TRACEBACK") == "1":
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, InterruptedRunError):
        print(f"interrupted: {text}", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, _USER_ERRORS):
        print(f"error: {text}", file=sys.stderr)
        return BAD_INPUT
    kind = "diverged" if isinstance(error, DivergedError) else f"fault: {type(error).__name__}"
    hint = "" if isinstance(error, DivergedError) else " (PHYSLM_TRACEBACK=1 shows where)"
    print(f"{kind}: {text}{hint}", file=sys.stderr)
    return FAULT


def _be_quiet() -> None:
    """Keep libraries' chatter out of the output."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")


if __name__ == "__main__":
    main()
