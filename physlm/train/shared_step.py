"""Memory shared by the processes of one training: parameters, a batch, gradients of its parts."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class SharedTensors(NamedTuple):
    """Views of the shared memory.

    Attributes:
        parameters: By name.
        windows: Of the parts of the current batch.
        n_targets: Of the whole batch.
        rows: Gradients of each part, parameter after parameter, and the part's loss.
    """

    parameters: dict[str, Tensor]
    windows: Int[Tensor, "parts batch seq_1"]
    n_targets: Float[Tensor, ""]
    rows: Float[Tensor, "parts parameters_1"]


class SharedStep(NamedTuple):
    """Where the shared memory is, and what it holds.

    The memory is in files without a name, which end with the last process that has them.

    Attributes:
        numbers: File descriptor of parameters, gradients and the number of targets.
        tokens: File descriptor of the windows.
        shapes: Of the parameters, by name and in order.
        windows: Shape of the windows of all parts.
    """

    numbers: int
    tokens: int
    shapes: dict[str, tuple[int, ...]]
    windows: tuple[int, int, int]

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor], windows: tuple[int, int, int]) -> "SharedStep":
        """The layout for parameters in float32.

        Args:
            parameters: By name.
            windows: Parts, windows of each, and tokens of each of these.
        """
        files = os.memfd_create("physlm numbers"), os.memfd_create("physlm tokens")
        return cls(*files, {name: tuple(p.shape) for name, p in parameters.items()}, windows)

    @property
    def n_parameters(self) -> int:
        """Numbers of all parameters."""
        return sum(map(_size, self.shapes.values()))

    def close(self) -> None:
        """Close the files; memory that is mapped stays."""
        os.close(self.numbers)
        os.close(self.tokens)

    def opened(self) -> SharedTensors:
        """The shared memory."""
        n_parts, n = self.windows[0], self.n_parameters
        numbers = torch.from_file(_path(self.numbers), shared=True, size=n + 1 + n_parts * (n + 1))
        tokens = torch.from_file(
            _path(self.tokens), shared=True, size=_size(self.windows), dtype=torch.int32
        )
        return SharedTensors(
            parameters=named(numbers[:n], self.shapes),
            windows=tokens.view(self.windows),
            n_targets=numbers[n],
            rows=numbers[n + 1 :].view(n_parts, n + 1),
        )


def named(
    flat: Float[Tensor, " parameters"], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Views of a flat tensor, one after the other."""
    parts = torch.split(flat, [_size(shape) for shape in shapes.values()])
    return {
        name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def _path(file: int) -> str:
    return f"/proc/self/fd/{file}"


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
