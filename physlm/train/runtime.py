"""How a run is carried out: on which devices, in how many steps at a time, compiled or not."""

import math
import os
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from physlm.errors import InputError
from physlm.schema import Schema

if TYPE_CHECKING:
    from physlm.train.batches import Batches

# Which process of a distributed run this is: as torchrun, Lightning, Slurm and LSF say it.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


class Device(str, Enum):
    """Where to compute; auto takes a GPU where there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class ParallelStrategyName(str, Enum):
    """How devices share the work: copies of the model, or shards of it."""

    ddp = "ddp"
    fsdp = "fsdp"


@dataclass(kw_only=True, slots=True)
class RuntimeConfig(Schema):
    """How a run is carried out; none of it names the run, all of it may change between resumes."""

    device: Device = Device.auto
    n_devices: int = 1
    n_nodes: int = 1
    strategy: ParallelStrategyName = ParallelStrategyName.ddp  # where there are several devices
    n_threads: int | None = None  # CPU threads of a process; None shares the cores
    compile: bool | None = None  # torch.compile; None where it pays
    steps_per_chunk: int | None = None  # between looks at the losses; None for about a second
    n_evaluations: int = 0  # during training, for curves of what scorers offer; on one device
    checkpoint_seconds: float = 60.0  # between checkpoints
    # Train several seeds or rates as replicas in one program; null: on a GPU, where they can be.
    replicas: bool | None = None
    progress_bar: bool = True

    def validate(self) -> None:
        """Every value in its range."""
        for name in ("n_devices", "n_nodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 1")
        for name in ("n_threads", "steps_per_chunk"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 1, or null")
        if not self.checkpoint_seconds >= 0:
            raise ValueError(
                f"checkpoint_seconds={self.checkpoint_seconds}; must be at least 0 (0: after every "
                "chunk)"
            )
        if self.n_evaluations < 0:
            raise ValueError(f"n_evaluations={self.n_evaluations}; must be at least 0")
        if self.n_evaluations and self.n_devices * self.n_nodes > 1:
            raise ValueError(
                f"n_evaluations={self.n_evaluations} with several devices; curves are measured "
                "on one, use runtime.n_devices=1 or n_evaluations=0"
            )

    def is_compiled(self, device: str, n_parameters: int, n_tokens: float) -> bool:
        """Whether to compile training of so many tokens.

        Raises:
            InputError: If it is asked for where it cannot be done.
        """
        from physlm.train.cpu import is_worth_compiling, missing_for_compiling

        if self.compile is None:
            return is_worth_compiling(device, n_parameters, n_tokens)
        if self.compile and (missing := missing_for_compiling(device)):
            raise InputError(
                f"runtime.compile=true needs {missing}, which is not here; install it or use "
                "runtime.compile=false"
            )
        return self.compile

    def chunked(
        self, batches: "Batches", device: str, n_parameters: int, n_tokens: float
    ) -> "Batches":
        """The batches of training in chunks of as many steps as configured, or as suit them."""
        from physlm.train.cpu import steps_per_chunk

        n_steps = self.steps_per_chunk or steps_per_chunk(
            device,
            n_parameters,
            n_tokens,
            batches.batch_size * batches.seq_len,
            n_looks=self.n_evaluations,
        )
        return replace(batches, steps_per_chunk=n_steps)

    def require_measurements(self, n_steps: int) -> None:
        """Training ends as many chunks as there are measurements on the way, which are between.

        Raises:
            ValueError: If it has fewer.
        """
        n_chunks = math.ceil(n_steps / (self.steps_per_chunk or 1))
        if self.n_evaluations > n_chunks:
            raise ValueError(
                f"runtime.n_evaluations={self.n_evaluations}, but training has about {n_steps} "
                f"steps in {n_chunks} chunks, and measures between them; lower it, lower "
                "runtime.steps_per_chunk or train longer"
            )

    def resolved_device(self) -> str:
        """``cpu`` or ``cuda``.

        Raises:
            InputError: If a GPU is asked for and there are too few.
        """
        import torch

        n_gpus = torch.cuda.device_count()
        if self.device is Device.cpu or (self.device is Device.auto and n_gpus == 0):
            return "cpu"
        if n_gpus < self.n_devices:
            raise InputError(
                f"runtime.device={self.device.value} with n_devices={self.n_devices}, but this "
                f"machine has {n_gpus} GPUs; use runtime.device=cpu or fewer devices"
            )
        return "cuda"


def is_main_process() -> bool:
    """False in the helpers of a distributed run, which train but neither score nor record.

    Their number is where Lightning looks for it, too.
    """
    found = (os.environ.get(name) for name in _RANKS)
    return int(next((rank for rank in found if rank is not None), 0)) == 0
