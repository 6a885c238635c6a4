"""Callbacks between chunks: checkpoints, requests to stop, measurements, the progress bar."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from physlm.atomic import replacing
from physlm.early_end import ASKED_TO_STOP
from physlm.errors import InterruptedRunError
from physlm.interruption import StopRequests
from physlm.train.module import TrainingModule
from physlm.watching import harmless


class Checkpoints(lightning.Callback):
    """Saves the state at intervals and on a request to stop, always between chunks."""

    def __init__(self, path: Path, seconds: float, stop: StopRequests) -> None:
        self.path = path
        self.seconds = seconds
        self.stop = stop
        self.saved_at = time.monotonic()

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Handle requests to stop here: Lightning would exit with status 0 without saving."""
        self.stop.listen()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Save if it is due; all ranks take the same decision.

        Raises:
            InterruptedRunError: If the process was asked to stop.
        """
        is_due = time.monotonic() - self.saved_at >= self.seconds
        is_due, is_stopping = trainer.strategy.broadcast((is_due, self.stop.was_requested))
        # A step may make weights infinite although its loss was finite. The next chunk will detect
        # it, and the last good checkpoint must still exist then.
        if is_due or is_stopping:
            is_finite = _is_finite(trainer.lightning_module)
            if trainer.strategy.reduce_boolean_decision(is_finite, all=True):
                self.save(trainer)
        if is_stopping:
            raise InterruptedRunError(f"{ASKED_TO_STOP} ({self.path})")

    def save(self, trainer: lightning.Trainer) -> None:
        """Replace the last checkpoint."""
        if trainer.is_global_zero:
            with replacing(self.path) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self.path)
        self.saved_at = time.monotonic()


class Measurements(lightning.Callback):
    """Measures the model at equally spaced points of training, for learning curves."""

    def __init__(self, measure: Callable[[], Mapping[str, float]], n_times: int) -> None:
        self.measure = measure
        self.n_times = n_times
        self.n_due = 0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Count the measurements that were taken before a resumed run's checkpoint."""
        self.n_due = self._n_due(pl_module)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any
    ) -> None:
        """Measure if it is due; weights that are not finite are reported by the next loss."""
        n_due = self._n_due(pl_module)
        if n_due == self.n_due or not _is_finite(pl_module):
            return
        self.n_due = n_due
        with harmless("a measurement for the learning curve"):
            self._log(pl_module, self.measure())

    def _log(self, module: lightning.LightningModule, metrics: Mapping[str, float]) -> None:
        ours = _ours(module)
        curves = {f"curve/{name}": value for name, value in metrics.items()}
        curves["curve/exposures"] = ours.exposures()
        curves["curve/tokens"] = float(ours.progress.tokens)
        for logger in module.loggers:
            logger.log_metrics(curves, step=ours.progress.steps)

    def _n_due(self, module: lightning.LightningModule) -> int:
        ours = _ours(module)
        return math.floor(ours.batches.progress(ours.progress.position) * self.n_times)


class ExposureBar(lightning.Callback):
    """A progress bar in exposures, with loss, speed and time left, on standard error."""

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Show the bar at the position of a resumed run."""
        console = Console(stderr=True)
        self.progress = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        module = _ours(pl_module)
        self.task = self.progress.add_task("", total=module.batches.corpus.n_epochs, text="")
        if trainer.is_global_zero:
            with harmless("the progress bar"):
                self.progress.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any
    ) -> None:
        """Move the bar."""
        module = _ours(pl_module)
        speed = module.progress.tokens / max(module.progress.seconds, 1e-9)
        text = (
            f"{module.exposures():.1f}/{module.batches.corpus.n_epochs} exposures  "
            f"loss {module.loss_nats:.4f}  {speed:,.0f} tokens/s"
        )
        with harmless("the progress bar"):
            self.progress.update(self.task, completed=module.exposures(), text=text)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Remove the bar."""
        with harmless("the progress bar"):
            self.progress.stop()

    def teardown(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Remove the bar."""
        with harmless("the progress bar"):
            self.progress.stop()


def _is_finite(module: torch.nn.Module) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in module.parameters())


def _ours(module: lightning.LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module
