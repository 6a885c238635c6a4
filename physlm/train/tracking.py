"""Loggers of curves and metrics: JSON lines always, CSV or W&B in addition."""

import csv
import json
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from physlm.atomic import replacing, write_text
from physlm.errors import InputError
from physlm.publication import curves_of, is_of_a_curve, labels_of, publication
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory, read_curves
from physlm.train import wandb_run
from physlm.train.logger import LoggerConfig, Tracker
from physlm.watching import harmless, reason, tell

if TYPE_CHECKING:
    import wandb


class RunLogger(Logger):
    """A logger of one run; log metrics during training, then end and close it."""

    @property
    def name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    @property
    def version(self) -> str:
        """Empty: a run has one version."""
        return ""

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """The configuration is known when the logger is built."""

    def end(self, record: RunRecord) -> None:
        """Log the final metrics."""
        values = {metric.text: metric.value for metric in record.metrics}
        if values:
            self.log_metrics(values, step=record.steps)

    def close(self, status: str) -> None:
        """Close it; the status is that of the record, or ``interrupted``."""


class JsonLinesLogger(RunLogger):
    """Curves as one JSON object per line, each with its step."""

    def __init__(self, path: Path, first_step: int) -> None:
        super().__init__()
        self.path = path
        self._keep_until(first_step)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    @rank_zero_only
    def _keep_until(self, step: int) -> None:
        """Drop what a killed run wrote after its last checkpoint; it will be written again."""
        rows = read_curves(self.path) if self.path.exists() else []
        # Final metrics, which stand at the last step, are written again, too.
        curves = [row for row in rows if is_of_a_curve(row)]
        kept = [json.dumps(row) + "\n" for row in curves if row["step"] <= step]
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


class WandbLogger(RunLogger):
    """Curves at W&B as they come; results, figures and artifacts at the end."""

    def __init__(self, run: "wandb.Run", directory: RunDirectory, *, keeps_weights: bool) -> None:
        super().__init__()
        self.run = run
        self.directory = directory
        self.keeps_weights = keeps_weights
        rows = curves_of(directory)  # of a run that is resumed; some may not have arrived
        if run.starting_step > len(rows):
            tell(f"W&B has {run.starting_step} rows of {run.name} already and keeps them")
        wandb_run.log_rows(run, rows)
        self.n_rows = len(rows)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row."""
        wandb_run.log_rows(self.run, [{"step": float(step or 0), **metrics}], first=self.n_rows)
        self.n_rows += 1

    def end(self, record: RunRecord) -> None:
        """Add what the run's files say."""
        published = publication(record, self.directory)
        wandb_run.complete(
            self.run, published, keeps_weights=self.keeps_weights, n_logged=self.n_rows
        )

    def close(self, status: str) -> None:
        """End the run, as failed unless it has finished."""
        wandb_run.close(self.run, is_finished=status == "finished")


class OutlivedLogger(RunLogger):
    """A logger that is dropped at its first error, with one line, while the run continues.

    Args:
        label: The file or service that is written to.
        build: Makes the logger.
        remedy: How to recover later what is lost, as the end of a message; else empty.
    """

    def __init__(self, label: str, build: Callable[[], RunLogger], remedy: str = "") -> None:
        super().__init__()
        self.label = label
        self.remedy = remedy
        self.logger: RunLogger | None = None
        with self._dropped_on_error():
            self.logger = build()

    @property
    def name(self) -> str:
        """The file or service that is written to."""
        return self.label

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics with the logger, unless it was dropped."""
        with self._dropped_on_error():
            if self.logger is not None:
                self.logger.log_metrics(dict(metrics), step=step)

    def end(self, record: RunRecord) -> None:
        """Log what the run measured."""
        with self._dropped_on_error():
            if self.logger is not None:
                self.logger.end(record)

    def close(self, status: str) -> None:
        """Close it, if it is still in use; once, since a server may take minutes to fail."""
        logger, self.logger = self.logger, None
        with self._dropped_on_error():
            if logger is not None:
                logger.close(status)

    @contextmanager
    def _dropped_on_error(self) -> Iterator[None]:
        try:
            yield
        except InputError:  # a damaged file of an earlier attempt, before anything is computed
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the run itself is sound
            tell(f"{self.label}: {reason(error)}; the run continues without it{self.remedy}")
            logger, self.logger = self.logger, None
            if logger is not None:
                with suppress(Exception):
                    logger.close("interrupted")


Loggers = list[OutlivedLogger]


@dataclass(kw_only=True, slots=True)
class Tracking:
    """The loggers of one run, opened when there is something to log; close it when the run ends.

    Attributes:
        config: Which loggers.
        directory: Of the run.
        run_id: Of the run, by which W&B resumes it.
        described: Its configuration in plain values, as in its record.
        loggers: Those that were opened.
    """

    config: LoggerConfig
    directory: RunDirectory
    run_id: str
    described: Mapping[str, Any]
    loggers: Loggers = field(default_factory=list)

    def start(self, first_step: int) -> Loggers:
        """Open the loggers, with curves cut back to the step from which training resumes."""
        curves, table = self.directory.metrics, self.directory.metrics.with_suffix(".csv")
        self.loggers = [OutlivedLogger(str(curves), lambda: JsonLinesLogger(curves, first_step))]
        if self.config.kind is Tracker.csv:
            self.loggers.append(OutlivedLogger(str(table), lambda: CsvLogger(table, first_step)))
        if self.config.kind is Tracker.wandb:
            later = f"; python -m physlm.publish {self.directory.path} sends it when it has ended"
            self.loggers.append(OutlivedLogger("W&B", self._wandb_logger, later))
        return self.loggers

    def end(self, record: RunRecord) -> None:
        """Log what the run measured, and close the loggers."""
        if not self.loggers:
            self.start(record.steps)
        for logger in self.loggers:
            with harmless(f"logging what {self.directory.path} measured"):
                logger.end(record)
        self.close(record.status)

    def close(self, status: str = "interrupted") -> None:
        """Close every logger that is still open, so that the next run starts its own."""
        for logger in self.loggers:
            logger.close(status)

    def _wandb_logger(self) -> WandbLogger:
        labels = labels_of(self.run_id, self.described)
        if self.config.group is not None:
            labels = labels._replace(group=self.config.group)
        run = wandb_run.opened(labels, self.described, self.config.project, self.config.entity)
        tell(f"W&B: {wandb_run.address(run)}")
        return WandbLogger(run, self.directory, keeps_weights=self.config.keeps_weights)
