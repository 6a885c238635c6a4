"""Which layers and heads are measured, and estimates for all heads from these."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.errors import InputError
from physlm.rng import stream


@dataclass(frozen=True, slots=True)
class HeadSample:
    """Layers and heads, drawn once per run and the same for all texts.

    Attributes:
        layers: Measured layers, ascending.
        heads: Measured heads of each of these layers, ascending.
        n_layers: Layers of the model.
        n_heads: Heads of each layer.
    """

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    n_layers: int
    n_heads: int

    def of(
        self, attention: Float[Tensor, "*texts heads queries keys"], layer: int
    ) -> Float[Tensor, "*texts sampled queries keys"]:
        """The sampled maps of a layer.

        Raises:
            InputError: If the layer is not in the sample, or has another number of heads.
        """
        if layer not in self.layers:
            raise InputError(f"layer={layer} is not in the sample; use one of {list(self.layers)}")
        if attention.shape[-3] != self.n_heads:
            raise InputError(
                f"layer {layer} has {attention.shape[-3]} maps, the sample has {self.n_heads} "
                "heads; give the maps of all heads"
            )
        if len(self.heads[0]) == self.n_heads:
            return attention
        heads = torch.tensor(self.heads[self.layers.index(layer)], device=attention.device)
        return attention.index_select(-3, heads)

    def head(self, layer: int, place: int) -> int:
        """Number in the model of a sampled map; a negative place, of a mean map, stays."""
        return place if place < 0 else self.heads[self.layers.index(layer)][place]

    @property
    def left_out(self) -> str:
        """What is not measured, in one line; empty if all is."""
        skipped = sorted(set(range(self.n_layers)) - set(self.layers))
        parts = [f"layers {', '.join(map(str, skipped))}"] if skipped else []
        m = len(self.heads[0])
        if m < self.n_heads:
            parts.append(f"{self.n_heads - m} of {self.n_heads} heads of each measured layer")
        return f"not measured: {'; '.join(parts)}" if parts else ""


def sample_heads(
    n_layers: int,
    n_heads: int,
    *,
    layers: Sequence[int] | None = None,
    n_sampled: int | None = None,
    seed: int = 0,
) -> HeadSample:
    """Draw the heads of each layer to measure, without replacement.

    Args:
        n_layers: Layers of the model.
        n_heads: Heads of each layer.
        layers: Layers to measure; negative ones count from the last. None for all.
        n_sampled: Heads per layer; None for all.
        seed: Seed of the run.

    Raises:
        InputError: If a layer does not exist, or there are fewer heads than ``n_sampled``.
    """
    wanted = range(n_layers) if layers is None else layers
    if wrong := [layer for layer in wanted if not -n_layers <= layer < n_layers]:
        raise InputError(f"layer={wrong[0]}; the model has layers 0 to {n_layers - 1}")
    m = n_heads if n_sampled is None else n_sampled
    if not 1 <= m <= n_heads or not wanted:
        raise InputError(
            f"n_heads={m}, layers={list(wanted)}; use 1 to {n_heads} heads of at least 1 layer"
        )
    chosen = tuple(sorted({layer % n_layers for layer in wanted}))
    heads = tuple(
        tuple(sorted(stream(seed, "spectra", "heads", layer).permutation(n_heads)[:m].tolist()))
        for layer in chosen
    )
    return HeadSample(chosen, heads, n_layers, n_heads)


def mean_over_heads(
    values: Float[Tensor, "*layers sampled"], n_heads: int
) -> tuple[Float[Tensor, "*layers"], Float[Tensor, "*layers"]]:
    """The mean over all heads, estimated from a sample of them, and its standard error.

    The error is sqrt((1 - m/M) s^2 / m), and 0 if all M heads were measured.

    Raises:
        InputError: If one head of several was measured, which has no variance.
    """
    m = values.shape[-1]
    if m == 1 < n_heads:
        raise InputError(f"one head of {n_heads} has no standard error; measure two or more")
    if m == n_heads:
        return values.mean(-1), torch.zeros_like(values[..., 0])
    return values.mean(-1), ((1 - m / n_heads) * values.var(-1) / m).sqrt()
