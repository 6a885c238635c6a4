"""The Lightning module: a chunk of optimizer steps per call, whose losses are read once."""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import lightning
import torch
from jaxtyping import Float, Int
from lightning.pytorch.strategies import FSDPStrategy, ParallelStrategy
from torch import Tensor

from physlm.data.windows import Position
from physlm.errors import DivergedError
from physlm.models.parameters import decays
from physlm.record import Origin
from physlm.train.batches import Batches, Chunk
from physlm.train.compiled_step import CompiledStep
from physlm.train.distributed_step import DistributedStep
from physlm.train.objective import Objective
from physlm.train.ranks import sum_over_ranks
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision, TrainerConfig

_SHARDED = "_fsdp_wrapped_module."  # inserted by FSDP into the names of parameters


@dataclass(slots=True)
class Progress:
    """Progress of training; saved in every checkpoint.

    Attributes:
        position: Position in the corpus.
        steps: Optimizer steps taken.
        tokens: Tokens seen, predicted or not; all are, unless a corpus marks its targets.
        seconds: Wall time spent training, over all attempts at the run.
        waiting_seconds: Further wall time, spent waiting for data.
    """

    position: Position = field(default_factory=Position)
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def data_wait_fraction(self) -> float:
        """Fraction of the time in which training waited for data."""
        return self.waiting_seconds / max(self.seconds + self.waiting_seconds, 1e-9)

    def after(self, chunk: Chunk, seconds: float) -> "Progress":
        """The progress after a chunk of steps that took ``seconds``."""
        return Progress(
            Position.of(chunk.end),
            self.steps + len(chunk.windows),
            self.tokens + sum(chunk.n_tokens),
            self.seconds + seconds,
            self.waiting_seconds + chunk.waited_seconds,
        )

    @property
    def numbers(self) -> dict[str, Any]:
        """All fields as plain numbers, for checkpoints."""
        return {**asdict(self), "position": list(self.position.numbers)}

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> "Progress":
        """The progress that has these `numbers`."""
        saved = dict(numbers)
        return cls(Position.of(saved.pop("position")), **saved)


def mean_loss(losses_nats: Sequence[float], chunk: Chunk) -> float:
    """Mean loss per token of a chunk, from the mean losses of its steps."""
    weighted = zip(losses_nats, chunk.n_targets, strict=True)
    return sum(loss * n for loss, n in weighted) / sum(chunk.n_targets)


class TrainingModule(lightning.LightningModule):
    """Trains a language model on chunks of optimizer steps.

    Attributes:
        is_managed: Whether Lightning takes each step, for shards or a gradient scaler; this costs a
            few hundred microseconds per step.
        is_compiled_step: Whether each step is compiled as a whole; excludes `is_managed`.
        n_parts: Parts of a batch in a compiled step on a CPU, in a run of one rank.
        n_processes: Processes that compute them, this one included.
        label: Context that marks a part of a step for a profiler.
        progress: Progress so far.
        loss_nats: Mean loss per predicted token over the last chunk; with experts, including the
            weighted load-balancing loss.
    """

    def __init__(
        self,
        objective: Objective,
        batches: Batches,
        *,
        optim: OptimConfig,
        trainer: TrainerConfig,
        origin: Origin | None = None,
        is_managed: bool = False,
        is_compiled_step: bool = False,
        n_parts: int = 1,
        n_processes: int = 1,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.objective = objective
        self.batches = batches
        self.optim = optim
        self.config = trainer
        self.origin = origin
        self.is_managed = is_managed
        self.is_compiled_step = is_compiled_step
        self.n_parts, self.n_processes = n_parts, n_processes
        self.compiled_step: CompiledStep | DistributedStep | None = None
        self.optimizer: Any = None
        self.clipped: list[torch.nn.Parameter] = []
        self.is_summed = False  # whether steps add the gradients and losses of several ranks
        self.n_averaged = 1  # ranks over which Lightning averages gradients
        self.decays = decays(objective)  # before FSDP wraps the modules that declare it
        self.label: Callable[[str], AbstractContextManager[Any]] = nullcontext
        self.progress = Progress()
        self.loss_nats = math.nan
        self.is_started = False  # once a checkpoint, if any, is loaded

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; fused, except under fp16, whose gradient scaler must see gradients first."""
        is_fused = self.config.precision is not Precision.fp16
        named = {name.replace(_SHARDED, ""): p for name, p in self.objective.named_parameters()}
        decaying = [p for name, p in named.items() if self.decays[name]]
        others = [p for name, p in named.items() if not self.decays[name]]
        return self.optim.build(decaying, others, is_fused=is_fused)

    def train_dataloader(self) -> Batches:
        """The rest of training; each rank of a distributed run gets its part."""
        rest = self.batches.starting_at(self.progress.position)
        return rest.shared(self.trainer.global_rank, self.trainer.world_size)

    def transfer_batch_to_device(
        self, batch: Chunk, device: torch.device, dataloader_idx: int
    ) -> Chunk:
        """Move the windows; the numbers stay with Python."""
        return batch._replace(windows=batch.windows.to(device, non_blocking=True))

    def on_train_start(self) -> None:
        """Build the compiled step, once a checkpoint's weights and optimizer state are loaded."""
        self.is_started = True
        self.optimizer = self.optimizers(use_pl_optimizer=self.is_managed)
        self.clipped = list(self.objective.parameters())
        n_ranks = self.trainer.world_size
        self.is_summed = n_ranks > 1 and not self.is_managed
        self.n_averaged = n_ranks if self.is_managed else 1
        if self.is_compiled_step:
            assert isinstance(self.optimizer, torch.optim.AdamW)
            self.compiled_step = self._compiled(self.optimizer)

    def _compiled(self, optimizer: torch.optim.AdamW) -> CompiledStep | DistributedStep:
        if self.is_summed:
            return DistributedStep(
                self.objective,
                optimizer,
                gradient_accumulation_steps=self.config.gradient_accumulation_steps,
                gradient_clip=self.config.gradient_clip,
            )
        return CompiledStep(
            self.objective,
            optimizer,
            gradient_accumulation_steps=self.config.gradient_accumulation_steps,
            gradient_clip=self.config.gradient_clip,
            n_parts=self.n_parts,
            n_workers=self.n_processes - 1,
            precision=self.config.precision,
        )

    def teardown(self, stage: str) -> None:
        """Free the memory of the compiled step before scoring."""
        self.close()
        self.optimizer = None
        gc.collect()

    def close(self) -> None:
        """End the compiled step and its processes, however training ended."""
        if isinstance(self.compiled_step, CompiledStep):
            self.compiled_step.close()
        self.compiled_step = None

    def training_step(self, chunk: Chunk, batch_idx: int) -> None:
        """Take every optimizer step of a chunk, then read the losses once."""
        began = time.perf_counter()
        before = self.progress.steps
        rates = [self.optim.rate(before + i, done) for i, done in enumerate(chunk.progress)]
        if self.compiled_step is None:
            steps = zip(chunk.windows, chunk.n_targets, rates, strict=True)
            losses = [self._step(*step) for step in steps]
        else:
            numbers = torch.tensor([chunk.n_targets, rates], device=self.device)
            arguments = zip(chunk.windows, *numbers, strict=True)
            with self.label("compiled steps"):
                losses = [self.compiled_step(*step) for step in arguments]
        with self.label("logging"):
            self._finish(chunk, torch.stack(losses), rates[-1], began)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip, after gradients were unscaled."""
        self._clip()

    def _clip(self) -> None:
        largest = self.config.gradient_clip
        if largest is None:
            return
        strategy = self.trainer.strategy
        if isinstance(strategy, FSDPStrategy):  # a shard has only its part of the norm
            strategy.model.clip_grad_norm_(largest)  # type: ignore[union-attr, operator]
        else:
            torch.nn.utils.clip_grad_norm_(self.clipped, largest)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add progress and origin (the run) to the checkpoint."""
        checkpoint["progress"] = self.progress.numbers
        if self.origin is not None:
            checkpoint["origin"] = self.origin._asdict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Resume from the progress of the checkpoint."""
        self.progress = Progress.of(checkpoint["progress"])

    def exposures(self) -> float:
        """Presentations of each piece of knowledge so far, counted in documents."""
        return self.progress.position.exposures(self.batches.corpus.n_documents)

    def _step(
        self, windows: Int[Tensor, "batch seq_1"], n_targets: int, rate: float
    ) -> Float[Tensor, ""]:
        """Take one optimizer step; returns the mean loss, or a term of its average over ranks."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Each rank's loss is divided by the targets of all, so that sums over ranks are right.
        loss = self._gradients(windows, self.n_averaged / n_targets)
        if self.is_summed:
            with self.label("exchange"):
                loss = sum_over_ranks(self.clipped, loss)
        with self.label("optimizer"):
            if not self.is_managed:  # else the optimizer calls it, when gradients are unscaled
                self._clip()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss

    def _gradients(self, windows: Int[Tensor, "batch seq_1"], scale: float) -> Float[Tensor, ""]:
        """Accumulate the gradient of the batch's scaled loss, and return the loss."""
        backward = self.manual_backward if self.is_managed else Tensor.backward
        n_parts = self.config.gradient_accumulation_steps
        parts = windows.tensor_split(n_parts) if n_parts > 1 else (windows,)
        losses = []
        for i, part in enumerate(parts):
            with self._synchronising(is_last=i == len(parts) - 1):
                with self.label("forward"):
                    loss = self.objective(part) * scale
                with self.label("backward"):
                    backward(loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _synchronising(self, *, is_last: bool) -> Any:
        strategy = self.trainer.strategy
        if is_last or not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        return strategy.block_backward_sync()

    def _finish(
        self, chunk: Chunk, losses: Float[Tensor, " steps"], rate: float, began: float
    ) -> None:
        """Check, count and log; the only place that waits for the device."""
        if self.is_managed:
            losses = self.trainer.strategy.reduce(losses, reduce_op="mean")
        losses_nats = losses.tolist()
        for step, loss in enumerate(losses_nats):
            if not math.isfinite(loss):
                raise DivergedError(self.progress.steps + step)
        seconds = time.perf_counter() - began
        self.progress = self.progress.after(chunk, seconds)
        self.loss_nats = mean_loss(losses_nats, chunk)
        curves = {
            "train/loss_nats": self.loss_nats,
            "train/learning_rate": rate,
            "train/exposures": self.exposures(),
            "train/tokens": float(self.progress.tokens),
            "train/tokens_per_second": sum(chunk.n_tokens) / seconds,
        }
        for logger in self.loggers:
            logger.log_metrics(curves, step=self.progress.steps)
