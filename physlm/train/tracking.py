"""Loggers of curves and metrics: JSON lines always, CSV or W&B in addition."""

import csv
import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from physlm.atomic import replacing, write_text
from physlm.errors import InputError
from physlm.run_directory import RunDirectory, read_curves
from physlm.science import flatten
from physlm.train.logger import LoggerConfig, Tracker, is_logged_in
from physlm.watching import harmless, reason, tell

if TYPE_CHECKING:
    import wandb

# Seconds that a run waits for W&B when it starts, and for uploads when it has ended.
_MOST_SECONDS = {"WANDB_INIT_TIMEOUT": 20, "WANDB_FINISH_TIMEOUT": 120}


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
    """Curves as CSV tables in addition to the JSON lines; final metrics go to ``scores.csv``.

    Measurements during training go to ``curve.csv``.
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
            with replacing(path) as temporary, temporary.open("w", newline="") as file:
                csv.writer(file).writerows(row for row in kept if row)


class OutlivedLogger(Logger):
    """A logger that is dropped at its first error, with one line, while the run continues."""

    def __init__(self, label: str, build: Callable[[], Logger]) -> None:
        super().__init__()
        self.label = label
        self.logger: Logger | None = None
        with self._given_up_at_an_error():
            self.logger = build()

    @property
    def name(self) -> str:
        """The file or service that is written to."""
        return self.label

    @property
    def version(self) -> str:
        """One per run."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Pass them on."""
        with self._given_up_at_an_error():
            if self.logger is not None:
                self.logger.log_metrics(dict(metrics), step=step)

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """They were passed on when the run started."""

    def close(self, status: str) -> None:
        """Close it; W&B marks the run as failed unless it is ``finished``."""
        with self._given_up_at_an_error():
            if isinstance(self.logger, WandbLogger):
                self.logger.experiment.finish(exit_code=0 if status == "finished" else 1)
        self.logger = None

    @contextmanager
    def _given_up_at_an_error(self) -> Iterator[None]:
        try:
            yield
        except InputError:  # a damaged file of an earlier attempt, before anything is computed
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the run itself is sound
            self.logger = None
            tell(f"{self.label}: {reason(error)}; the run continues without it")


Loggers = list[OutlivedLogger]


@dataclass(kw_only=True, slots=True)
class Tracking:
    """The loggers of one run, opened when there is something to log; close it when the run ends.

    Attributes:
        config: Which loggers.
        directory: Of the run.
        run_id: Of the run, by which W&B resumes it.
        experiment: Its name.
        hyperparameters: The configuration, for W&B.
        loggers: Those that were opened.
    """

    config: LoggerConfig
    directory: RunDirectory
    run_id: str
    experiment: str
    hyperparameters: Mapping[str, Any]
    loggers: Loggers = field(default_factory=list)

    def start(self, first_step: int) -> Loggers:
        """Open the loggers, with curves cut back to the step from which training resumes."""
        curves, table = self.directory.metrics, self.directory.metrics.with_suffix(".csv")
        self.loggers = [OutlivedLogger(str(curves), lambda: JsonLinesLogger(curves, first_step))]
        if self.config.kind is Tracker.csv:
            self.loggers.append(OutlivedLogger(str(table), lambda: CsvLogger(table, first_step)))
        if self.config.kind is Tracker.wandb:
            words = {
                "project": self.config.project,
                "entity": self.config.entity,
                "group": self.config.group or self.experiment,
                "name": f"{self.experiment}-{self.run_id[:6]}",
                "id": self.run_id,
                "dir": self.directory.path,
            }
            self.loggers.append(
                OutlivedLogger("W&B", lambda: _wandb_logger(words, self.hyperparameters))
            )
        return self.loggers

    def report(self, metrics: Mapping[str, float], step: int) -> None:
        """Log final metrics, if there are any."""
        for logger in self.loggers if metrics else []:
            logger.log_metrics(metrics, step=step)

    def end(self, metrics: Mapping[str, float], step: int, status: str) -> None:
        """Log the final metrics and the status, and close the loggers."""
        if not self.loggers:
            self.start(step)
        with harmless(f"logging what {self.directory.path} measured"):
            self.report(metrics, step)
        self.close(status)

    def close(self, status: str = "interrupted") -> None:
        """Close every logger that is still open, so that the next run starts its own."""
        for logger in self.loggers:
            logger.close(status)


def _wandb_logger(words: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> WandbLogger:
    """A separate W&B run per run of this process, offline if the server cannot be reached.

    The process then stays offline, so that only the first of many runs waits.
    """
    import wandb

    for name, seconds in _MOST_SECONDS.items():
        os.environ.setdefault(name, str(seconds))
    try:
        run = _wandb_run(words, "online" if is_logged_in() else "offline")
    except Exception as error:
        if not is_logged_in():
            raise
        os.environ["WANDB_MODE"] = "offline"
        wandb.teardown()  # or the id would stay in use
        run = _wandb_run(words, "offline")
        tell(
            f"W&B was not reached ({reason(error)}); when it is, send what is kept on disk: "
            f"wandb sync {Path(run.settings.sync_dir)}"
        )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    logger = WandbLogger(experiment=run, log_model=False)
    logger.log_hyperparams(flatten(hyperparameters))
    return logger


def _wandb_run(words: Mapping[str, Any], mode: Literal["online", "offline"]) -> "wandb.Run":
    import wandb

    return wandb.init(**words, mode=mode, resume="allow", reinit="create_new")
