"""Where curves and metrics go: files always, CSV or W&B besides."""

import csv
import json
import netrc
import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from physlm.record import RunDirectory, flatten, read_curves, write_text
from physlm.schema import Schema


class Tracker(str, Enum):
    """Local files only, a CSV table besides, or Weights & Biases besides."""

    local = "local"
    csv = "csv"
    wandb = "wandb"


@dataclass(kw_only=True, slots=True)
class LoggerConfig(Schema):
    """A window on the run's files; none of it changes a result."""

    kind: Tracker = Tracker.local
    project: str = "physlm"  # W&B project
    entity: str | None = None  # W&B team; None is your own
    group: str | None = None  # W&B group; None is the experiment's name


class JsonLinesLogger(Logger):
    """Curves as one JSON object per line, each with its step."""

    def __init__(self, path: Path, first_step: int) -> None:
        super().__init__()
        self.path = path
        self._keep_until(first_step)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def version(self) -> str:
        """One file per run."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """The configuration is in the run's config.yaml."""

    @rank_zero_only
    def _keep_until(self, step: int) -> None:
        """Drop what a killed run wrote after its last checkpoint; it will be written again."""
        rows = read_curves(self.path) if self.path.exists() else []
        kept = [json.dumps(row) + "\n" for row in rows if row["step"] <= step]
        write_text(self.path, "".join(kept))


class CsvLogger(JsonLinesLogger):
    """The curves as tables beside the JSON lines; final metrics go to ``scores.csv``.

    What scorers measure during training is in ``curve.csv``.
    """

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row, below a header if it is the first."""
        kind = next(iter(metrics)).partition("/")[0]
        path = {"train": self.path, "curve": self.path.with_name("curve.csv")}.get(
            kind, self.path.with_name("scores.csv")
        )
        is_curve = path.name != "scores.csv"
        is_new = not is_curve or not path.exists() or path.stat().st_size == 0
        with path.open("a" if is_curve else "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", *metrics])
            writer.writerow([step, *metrics.values()])

    @rank_zero_only
    def _keep_until(self, step: int) -> None:
        for path in (self.path, self.path.with_name("curve.csv")):
            if not path.exists():
                continue
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = list(csv.reader(file)) or [[]]
            kept = [header, *(r for r in rows if len(r) == len(header) and int(r[0]) <= step)]
            write_text(path, "".join(",".join(row) + "\n" for row in kept if row))


def build_loggers(
    config: LoggerConfig,
    directory: RunDirectory,
    *,
    run_id: str,
    name: str,
    first_step: int,
    hyperparameters: Mapping[str, Any],
) -> list[Logger]:
    """The run's loggers, cut back to the step that training goes on from."""
    loggers: list[Logger] = [JsonLinesLogger(directory.metrics, first_step)]
    if config.kind is Tracker.csv:
        loggers.append(CsvLogger(directory.metrics.with_suffix(".csv"), first_step))
    if config.kind is Tracker.wandb:
        wandb_logger = WandbLogger(
            project=config.project, entity=config.entity, group=config.group or name,
            name=f"{name}-{run_id[:6]}", id=run_id, save_dir=directory.path,
            resume="allow", offline=not is_logged_in(), log_model=False,
        )  # fmt: skip
        wandb_logger.log_hyperparams(flatten(hyperparameters))
        loggers.append(wandb_logger)
    return loggers


def report(loggers: list[Logger], metrics: Mapping[str, float], step: int) -> None:
    """Log final metrics."""
    for logger in loggers:
        logger.log_metrics(dict(metrics), step=step)


def close(loggers: list[Logger]) -> None:
    """Close every logger, so that the next run of this process starts its own."""
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def is_logged_in() -> bool:
    """Whether W&B has a key, in the environment or where ``wandb login`` writes it."""
    if os.environ.get("WANDB_MODE") in {"offline", "disabled", "dryrun"}:
        return False
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in hosts)
