"""Runtime configuration: devices, chunks, compilation, checkpoints."""

import math
import os
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from physlm.errors import InputError
from physlm.memory import require_memory
from physlm.schema import Schema

if TYPE_CHECKING:
    from physlm.train.batches import Batches
    from physlm.train.trainer import TrainerConfig

_MOST = 1024  # devices, machines, threads and cores: far more end the process without a word
_LEAST_TOKENS = 256  # of a part; below, processes wait for each other longer than they compute

# Rank of this process in a distributed run, as torchrun, Lightning, Slurm and LSF set it.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


class Device(str, Enum):
    """Device to compute on; auto selects a GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class ParallelStrategyName(str, Enum):
    """Parallelism over devices: copies of the model (ddp), or shards of it (fsdp)."""

    ddp = "ddp"
    fsdp = "fsdp"


@dataclass(kw_only=True, slots=True)
class RuntimeConfig(Schema):
    """Runtime settings: none enters the run id, all may change when a run resumes."""

    device: Device = Device.auto  # auto: a GPU if there is one
    n_devices: int = 1  # devices of each node
    n_nodes: int = 1  # machines
    strategy: ParallelStrategyName = ParallelStrategyName.ddp  # with several devices
    n_threads: int | None = None  # CPU threads of a process; null: an even part of the cores
    # CPU cores that compute parts of each batch of a compiled run, in processes; null: two if the
    # machine has them, one in sweeps. On one core the parts follow each other, with the same bits.
    n_cores: int | None = None
    compile: bool | None = None  # torch.compile; null: where it saves time
    kernels: bool = False  # linear attention by flash-linear-attention, on a GPU, not compiled
    steps_per_chunk: int | None = None  # null: about a second of steps
    n_evaluations: int = 0  # evaluations during training, for learning curves; on one device
    checkpoint_seconds: float = 60.0  # seconds between checkpoints
    # Train several seeds or rates as replicas in one program; null: on a GPU, where possible.
    replicas: bool | None = None
    progress_bar: bool = True  # on a terminal

    def validate(self) -> None:
        """Every value in its range."""
        if self.kernels and self.compile:
            raise ValueError(
                "runtime.kernels=true with runtime.compile=true; the kernels cannot be compiled, "
                "leave one out"
            )
        for name in ("n_devices", "n_nodes"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name}={getattr(self, name)}; must be from 1 to {_MOST}")
        for name in ("n_threads", "n_cores"):
            if getattr(self, name) is not None and not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(
                    f"{name}={getattr(self, name)}; must be from 1 to {_MOST}, or null"
                )
        if self.steps_per_chunk is not None and self.steps_per_chunk < 1:
            raise ValueError(f"steps_per_chunk={self.steps_per_chunk}; must be at least 1, or null")
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
        """Whether to compile the training of a model on so many tokens.

        Raises:
            InputError: If compiling is requested but not possible.
        """
        from physlm.train.cpu import is_worth_compiling, missing_for_compiling

        if self.kernels:
            return False
        if self.compile is None:
            return is_worth_compiling(device, n_parameters, n_tokens)
        if self.compile and (missing := missing_for_compiling(device)):
            raise InputError(
                f"runtime.compile=true needs {missing}, which this machine lacks; install it, or "
                "use runtime.compile=false"
            )
        return self.compile

    def batch_parts(self, trainer: "TrainerConfig", seq_len: int) -> tuple[int, int]:
        """Into how many parts a batch is divided on a CPU, and processes that compute them.

        Args:
            trainer: Batch size and accumulation, which the parts must divide.
            seq_len: Tokens of a window.
        """
        from physlm.train.cpu import can_share_memory, n_cores

        n_parts, n_accumulated = max(2, self.n_cores or 0), trainer.gradient_accumulation_steps
        is_divided = trainer.batch_size % (n_parts * n_accumulated) == 0
        if not is_divided or trainer.batch_size * seq_len < n_parts * _LEAST_TOKENS:
            return 1, 1
        if not can_share_memory():
            return n_parts, 1
        return n_parts, min(n_parts, self.n_cores or n_cores())

    def chunked(
        self, batches: "Batches", device: str, n_parameters: int, n_tokens: float
    ) -> "Batches":
        """The batches in chunks of the configured number of steps, or of a suitable one.

        Args:
            batches: Of training.
            device: ``cpu`` or ``cuda``.
            n_parameters: Of the model.
            n_tokens: Of the whole training.
        """
        from physlm.train.cpu import steps_per_chunk

        n_steps = self.steps_per_chunk or steps_per_chunk(
            device,
            n_parameters,
            n_tokens,
            batches.batch_size * batches.seq_len,
            n_evaluations=self.n_evaluations,
        )
        return replace(batches, steps_per_chunk=n_steps)

    def require_room(self, n_steps: int, tokens_per_step: int) -> None:
        """Require that the windows of a chunk fit into memory, two chunks being rendered ahead.

        Args:
            n_steps: Of the whole training.
            tokens_per_step: Of one optimizer step.

        Raises:
            ValueError: If they do not.
        """
        n_in_chunk = min(self.steps_per_chunk or 1, n_steps)
        require_memory(
            {f"runtime.steps_per_chunk={self.steps_per_chunk}": 12 * n_in_chunk * tokens_per_step}
        )

    def require_measurements(self, n_steps: int) -> None:
        """Require at least as many chunks as measurements, which are taken between chunks.

        Raises:
            ValueError: If training has fewer chunks.
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
            InputError: If GPUs are requested and there are too few.
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
    """False in the worker processes of a distributed run, which train but do not score or record.

    The rank is read from the same variables that Lightning reads.
    """
    found = (os.environ.get(name) for name in _RANKS)
    return int(next((rank for rank in found if rank is not None), 0)) == 0
