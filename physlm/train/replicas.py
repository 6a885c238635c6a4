"""Replicas: models of one architecture trained side by side in one program.

Each has its own weights, optimizer state, learning rate and data. One tiny model leaves a GPU idle;
a step of many takes little longer than a step of one.
"""

import itertools
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from physlm.atomic import remove_leftovers, replacing
from physlm.data.windows import IGNORED
from physlm.early_end import ASKED_TO_STOP
from physlm.errors import InputError, InterruptedRunError
from physlm.interruption import StopRequests, stop_requests
from physlm.models.language_model import LanguageModel
from physlm.train.batches import Batches, Chunk
from physlm.train.fit import Trained, from_checkpoint
from physlm.train.module import Progress, mean_loss
from physlm.train.objective import Objective
from physlm.train.replicated_step import ReplicatedStep
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import OutlivedLogger
from physlm.train.trainer import TrainerConfig

# R replicas, B batch, T tokens of a window and the one after it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One of the models, with its own data and optimizer.

    Attributes:
        run_id: Of its run.
        model: Freshly initialised; holds the trained weights afterwards.
        batches: Its data.
        optim: Its optimizer; only learning rates may differ between replicas.
        loggers: Of its learning curves.
    """

    run_id: str
    model: LanguageModel
    batches: Batches
    optim: OptimConfig
    loggers: list[OutlivedLogger]


def fit_replicas(
    replicas: Sequence[Replica],
    *,
    trainer: TrainerConfig,
    device: str,
    attention_across_documents: bool,
    checkpoint: Path,
    checkpoint_seconds: float,
) -> list[Trained]:
    """Train all to the ends of their corpora; one that diverges does not affect the others.

    Args:
        replicas: Of one architecture.
        trainer: Batch size, precision and clipping.
        device: ``cpu`` or ``cuda``.
        attention_across_documents: Whether a token sees earlier documents of its window.
        checkpoint: Of the group; training resumes from it, and replaces it.
        checkpoint_seconds: Between checkpoints.

    Raises:
        InterruptedRunError: If the process was asked to stop; the state of all is saved.
    """
    objective = Objective(
        replicas[0].model.to(device).train(),
        eos=replicas[0].batches.corpus.vocabulary.eos,
        is_visible_across_documents=attention_across_documents,
    )
    step = ReplicatedStep(
        objective, [replica.model for replica in replicas], optim=replicas[0].optim, trainer=trainer
    )
    training = _Training(replicas, step, checkpoint, checkpoint_seconds)
    if checkpoint.exists():
        training.load()
    with stop_requests() as stop:
        training.run(stop)
    step.write_back([replica.model for replica in replicas])
    return [
        Trained(replica.model, progress, diverged_at=diverged_at)
        for replica, progress, diverged_at in zip(
            replicas, training.progress, training.diverged_at, strict=True
        )
    ]


def saved_replicas(checkpoint: Path) -> dict[str, int]:
    """The steps taken by each replica of an interrupted group, by run id.

    What killed processes left beside the checkpoint is removed.

    Args:
        checkpoint: Of a group whose runs are all locked by this process.

    Raises:
        InputError: If the file is damaged or not a checkpoint of physlm.
    """

    def read(saved: Any) -> dict[str, int]:
        steps = [int(done["steps"]) for done in saved["progress"]]
        return dict(zip(saved["run_ids"], steps, strict=True))

    remove_leftovers(checkpoint.parent)
    return from_checkpoint(checkpoint, read, {})


class _Training:
    """The chunks of all replicas in lockstep, with the progress of each."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        step: ReplicatedStep,
        checkpoint: Path,
        checkpoint_seconds: float,
    ) -> None:
        self.replicas = replicas
        self.step = step
        self.checkpoint = checkpoint
        self.checkpoint_seconds = checkpoint_seconds
        # Once: a fingerprint reads the whole corpus, and checkpoints are frequent.
        self.corpora = [replica.batches.corpus.fingerprint() for replica in replicas]
        self.saved_at = time.monotonic()
        self.n_steps = 0
        self.progress = [Progress() for _ in replicas]
        self.diverged_at: list[int | None] = [None for _ in replicas]

    def run(self, stop: StopRequests) -> None:
        n_in_chunk = self.replicas[0].batches.steps_per_chunk
        with ExitStack() as stack:
            chunks = []
            for replica, done in zip(self.replicas, self.progress, strict=True):
                batches = replace(replica.batches, steps_per_chunk=n_in_chunk)
                rest = iter(batches.starting_at(done.position))
                chunks.append(stack.enter_context(closing(rest)))
            for row in itertools.zip_longest(*chunks):
                if not self._live(row):
                    break
                self._take(row)
                is_due = time.monotonic() - self.saved_at >= self.checkpoint_seconds
                if is_due or stop.was_requested:
                    self.save()
                if stop.was_requested:
                    raise InterruptedRunError(f"{ASKED_TO_STOP} ({self.checkpoint})")

    def _live(self, row: Sequence[Chunk | None]) -> dict[int, Chunk]:
        """The chunks of replicas that are neither done nor diverged, by number."""
        chunks = enumerate(row)
        return {i: c for i, c in chunks if c is not None and self.diverged_at[i] is None}

    def _take(self, row: Sequence[Chunk | None]) -> None:
        began = time.perf_counter()
        n_steps = max(len(chunk.windows) for chunk in row if chunk is not None)
        windows = self._windows(row, n_steps)
        # A replica that is done stays in the program, whose shapes are fixed: rate 0 leaves its
        # weights as they are, and 1 target avoids a division by 0.
        n_targets, rates = torch.ones(n_steps, len(row)), torch.zeros(n_steps, len(row))
        for i, chunk in self._live(row).items():
            own = self._rates(i, chunk)
            rates[: len(own), i] = torch.tensor(own)
            n_targets[: len(own), i] = torch.tensor(chunk.n_targets, dtype=torch.float32)
        device = self.step.device
        numbers = torch.arange(self.n_steps + 1, self.n_steps + n_steps + 1, dtype=torch.float32)
        moved = (windows.to(device), n_targets.to(device), rates.to(device), numbers.to(device))
        # Losses are read once per chunk: each read would wait for the device.
        losses = torch.stack([self.step(*own) for own in zip(*moved, strict=True)]).T.tolist()
        self.n_steps += n_steps
        seconds = (time.perf_counter() - began) / sum(chunk is not None for chunk in row)
        for i, chunk in self._live(row).items():
            self._note(i, chunk, losses[i][: len(chunk.windows)], seconds)

    def _windows(self, row: Sequence[Chunk | None], n_steps: int) -> Int[Tensor, "steps R B T"]:
        """Windows of all replicas; those of a replica that is done have no targets."""
        shape = next(chunk for chunk in row if chunk is not None).windows.shape[1:]
        windows = torch.full((n_steps, len(row), *shape), IGNORED, dtype=torch.int32)
        for i, chunk in enumerate(row):
            if chunk is not None:
                windows[: len(chunk.windows), i] = chunk.windows
        return windows

    def _rates(self, i: int, chunk: Chunk) -> list[float]:
        before, optim = self.progress[i].steps, self.replicas[i].optim
        return [optim.rate(before + step, done) for step, done in enumerate(chunk.progress)]

    def _note(self, i: int, chunk: Chunk, losses_nats: list[float], seconds: float) -> None:
        """Count and log; a replica whose loss is not finite counts as diverged.

        Args:
            i: Number of the replica.
            chunk: Its chunk.
            losses_nats: Mean loss of each step.
            seconds: Its part of the chunk's time.
        """
        bad = [step for step, loss in enumerate(losses_nats) if not math.isfinite(loss)]
        if bad:
            self.diverged_at[i] = self.progress[i].steps + bad[0]
            return
        rate = self._rates(i, chunk)[-1]
        self.progress[i] = done = self.progress[i].after(chunk, seconds)
        curves = {
            "train/loss_nats": mean_loss(losses_nats, chunk),
            "train/learning_rate": rate,
            "train/exposures": done.position.exposures(self.replicas[i].batches.corpus.n_documents),
            "train/tokens": float(done.tokens),
            "train/tokens_per_second": sum(chunk.n_tokens) / seconds,
        }
        for logger in self.replicas[i].loggers:
            logger.log_metrics(curves, step=done.steps)

    def save(self) -> None:
        state = {
            "run_ids": [replica.run_id for replica in self.replicas],
            "corpora": self.corpora,
            "n_steps": self.n_steps,
            "progress": [done.numbers for done in self.progress],
            "diverged_at": list(self.diverged_at),
            "parameters": self.step.parameters,
            "means": self.step.means,
            "squares": self.step.squares,
        }
        with replacing(self.checkpoint) as temporary, temporary.open("wb") as file:
            torch.save(state, file)  # into a file of ours, whose errors are the system's
        self.saved_at = time.monotonic()

    def load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.step.device, weights_only=True)
        if state["run_ids"] != [replica.run_id for replica in self.replicas]:
            raise InputError(f"{self.checkpoint} belongs to other runs; delete it to train again")
        if state.get("corpora", self.corpora) != self.corpora:  # earlier versions kept none
            raise InputError(
                f"{self.checkpoint} belongs to other corpora; delete it to train again"
            )
        self.n_steps = state["n_steps"]
        self.progress = [Progress.of(numbers) for numbers in state["progress"]]
        self.diverged_at = state["diverged_at"]
        for name in ("parameters", "means", "squares"):
            for key, tensor in getattr(self.step, name).items():
                tensor.copy_(state[name][key])
