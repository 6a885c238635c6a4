"""Training settings that affect the result: batch size, precision, gradient clipping."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Any

from physlm.errors import InputError
from physlm.schema import Schema


class Precision(str, Enum):
    """Number format of the computation; weights and optimizer state stay in fp32."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"

    def autocast(self, device: str) -> "AbstractContextManager[Any]":
        """A context in which a device computes in bfloat16, or in which nothing changes.

        Under fp16, Lightning casts, since gradients are scaled.
        """
        if self is not Precision.bf16:
            return nullcontext()
        import torch

        return torch.autocast(device, dtype=torch.bfloat16)


@dataclass(kw_only=True, slots=True)
class TrainerConfig(Schema):
    """Training settings that affect the result and enter the run id."""

    batch_size: int = 96  # windows per optimizer step, over all devices
    gradient_accumulation_steps: int = 1  # parts a batch is computed in, to save memory
    precision: Precision = Precision.fp32  # of matrix products; weights are fp32
    gradient_clip: float | None = 1.0  # largest gradient norm; null for none

    def validate(self) -> None:
        """Every value in its range."""
        for name in ("batch_size", "gradient_accumulation_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 1")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise ValueError(f"gradient_clip={self.gradient_clip}; must be above 0, or null")
        if self.batch_size % self.gradient_accumulation_steps:
            raise ValueError(
                f"batch_size={self.batch_size} is not divisible by "
                f"gradient_accumulation_steps={self.gradient_accumulation_steps}"
            )

    def require(self, device: str) -> None:
        """Refuse a precision that a device lacks.

        Raises:
            InputError: If fp16 is requested on a CPU, where it would silently become bf16.
        """
        if self.precision is Precision.fp16 and device == "cpu":
            raise InputError("trainer.precision=fp16 needs a GPU; use bf16 or fp32 on a CPU")
