"""Memory that the processes of one training share: parameters, a batch, and gradients of its parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_NUMBERS, _TOKENS = "numbers", "tokens"  # files


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
    """Where the shared memory is, and what it holds; files that processes map.

    Attributes:
        folder: Of the files.
        shapes: Of the parameters, by name and in order.
        windows: Shape of the windows of all parts.
    """

    folder: Path
    shapes: dict[str, tuple[int, ...]]
    windows: tuple[int, int, int]

    @classmethod
    def of(
        cls, folder: Path, parameters: Mapping[str, Tensor], windows: tuple[int, int, int]
    ) -> "SharedStep":
        """The layout for parameters in float32.

        Args:
            folder: An empty one.
            parameters: By name.
            windows: Parts, windows of each, and tokens of each of these.
        """
        return cls(folder, {name: tuple(p.shape) for name, p in parameters.items()}, windows)

    @property
    def n_parameters(self) -> int:
        """Numbers of all parameters."""
        return sum(map(_size, self.shapes.values()))

    def opened(self) -> SharedTensors:
        """The shared memory, which is created if it is not there."""
        n_parts, n = self.windows[0], self.n_parameters
        numbers = torch.from_file(
            str(self.folder / _NUMBERS), shared=True, size=n + 1 + n_parts * (n + 1)
        )
        tokens = torch.from_file(
            str(self.folder / _TOKENS), shared=True, size=_size(self.windows), dtype=torch.int32
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
    parts = flat.split([_size(shape) for shape in shapes.values()])
    return {
        name: part.view(shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
