"""Activation patching between pairs of prompts, by state and place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, chosen

PATCH, CONTROL = "patch", "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPairs:
    """Pairs of prompts of equal length that differ in one respect, such as the person.

    Attributes:
        source: Token ids of the prompts that states are taken from, padded on the right.
        base: Token ids of the prompts that states are replaced in.
        answers: The token that answers the source, and the one that answers the base.
        places: Positions by name, such as those of the name, the last token, and the rest.
        control: Token ids of unrelated prompts of equal length; None for no control. Their states
            may remove the base's answer, which recovers a half, but do not bring the source's.
        lengths: Tokens of each pair's prompts; None if they are not padded.

    Raises:
        InputError: If a shape does not fit, or two answers are equal.
    """

    source: Int[Tensor, "pairs seq"]
    base: Int[Tensor, "base_pairs base_seq"]
    answers: Int[Tensor, "pairs 2"]
    places: Mapping[str, Bool[Tensor, "pairs seq"]]
    control: Int[Tensor, "pairs seq"] | None = None
    lengths: Int[Tensor, " pairs"] | None = None

    def __post_init__(self) -> None:
        tokens = {"base": self.base, "control": self.control, **self.places}
        for name, values in tokens.items():
            if values is not None and values.shape != self.source.shape:
                raise InputError(
                    f"{name} has shape {tuple(values.shape)}, the source prompts "
                    f"{tuple(self.source.shape)}; give pairs of equal length"
                )
        is_equal = self.answers[:, 0] == self.answers[:, 1]
        if is_equal.any():
            pair = int(is_equal.int().argmax())
            raise InputError(
                f"both answers of pair {pair} are token {int(self.answers[pair, 0])}; give pairs "
                "with different answers"
            )

    def part(self, pairs: slice) -> "PromptPairs":
        """A slice of the pairs."""
        return PromptPairs(
            source=self.source[pairs],
            base=self.base[pairs],
            answers=self.answers[pairs],
            places={name: mask[pairs] for name, mask in self.places.items()},
            control=None if self.control is None else self.control[pairs],
            lengths=None if self.lengths is None else self.lengths[pairs],
        )

    def last(self) -> Int[Tensor, " pairs"]:
        """Position of each prompt's last token."""
        if self.lengths is None:
            return torch.full((len(self.source),), self.source.shape[1] - 1)
        return self.lengths.cpu() - 1


def trace_patching(
    model: LanguageModel,
    pairs: PromptPairs,
    *,
    states: Sequence[int] | None = None,
    batch_size: int = 32,
) -> pl.DataFrame:
    """Logit differences when a state of the base run is replaced by that of another run.

    The logit difference is that of the source's answer minus the base's, after the last token. One
    row per pair, state, place and run: ``pair``, ``state``, ``place``, ``run`` (``patch`` takes the
    state from the source, ``control`` from the control prompt), the logit difference ``patched``,
    and those of the unchanged runs, ``source`` and ``base``.

    Args:
        model: A causal model with ``forward_from``.
        pairs: The prompts.
        states: State numbers from 0 to L; None for all.
        batch_size: Pairs of one forward pass.

    Raises:
        InputError: If the model is not causal, a state does not exist, or no run can start from it.
    """
    if not model.is_causal:
        raise InputError("an encoder predicts no next token; patch a causal model")
    numbers = chosen(states, model.n_layers + 1, "state")
    parts = []
    with torch.inference_mode():
        for first in range(0, len(pairs.source), batch_size):
            own = pairs.part(slice(first, first + batch_size))
            index = pl.Series("pair", np.arange(first, first + len(own.source)))
            parts += [row.with_columns(index) for row in _patched(model, own, numbers)]
    columns = ("pair", "state", "place", "run", "source", "base", "patched")
    return pl.concat(parts).select(columns).sort("pair", "state", maintain_order=True)


def recovered(rows: pl.DataFrame, by: Sequence[str] = ("run", "place", "state")) -> pl.DataFrame:
    """Fraction of the logit difference between the runs that patching recovers.

    It is the mean of patched - base divided by the mean of source - base: 1 if patching turns the
    base run into the source run, 0 if it changes nothing. A mean of ratios would be dominated by
    pairs whose runs hardly differ. Columns are the groups, ``value``, ``stderr`` over pairs,
    linearised and null for one pair, and ``n``.

    Args:
        rows: Rows of ``trace_patching``.
        by: Columns that define the groups.

    Raises:
        InputError: If the model does not prefer the source's answers after the source prompts more
            than after the base prompts, on average.
    """
    gain = pl.col("patched") - pl.col("base")
    whole = pl.col("source") - pl.col("base")
    if not rows.select(whole.mean()).item() > 0:
        raise InputError(
            "the model prefers the source prompts' answers no more after the source prompts than "
            "after the base prompts; patch a model that knows the answers"
        )
    ratio = gain.sum() / whole.sum()
    scatter = ((gain - ratio * whole) ** 2).sum() * pl.len() / (pl.len() - 1)
    stderr = pl.when(pl.len() > 1).then(scatter.sqrt() / whole.sum().abs())
    return (
        rows.group_by(by)
        .agg(ratio.alias("value"), stderr.alias("stderr"), pl.len().alias("n"))
        .sort(by)
    )


def _patched(
    model: LanguageModel, pairs: PromptPairs, numbers: list[int]
) -> Iterator[pl.DataFrame]:
    """Rows of some pairs, by state, run and place."""
    device = model.device
    runs = {PATCH: pairs.source, CONTROL: pairs.control}
    # State L is needed for the logit differences of the unchanged runs.
    wanted = [*numbers, model.n_layers]
    base = model.residuals(pairs.base.to(device), wanted)
    unchanged = {"base": _difference(model, base[-1], pairs)}
    for run, tokens in runs.items():
        if tokens is None:
            continue
        other = model.residuals(tokens.to(device), wanted)
        if run == PATCH:
            unchanged["source"] = _difference(model, other[-1], pairs)
        for i, k in enumerate(numbers):
            for place, mask in pairs.places.items():
                mixed = torch.where(mask.to(device)[..., None], other[i], base[i])
                patched = _difference(model, model.forward_from(mixed, k), pairs)
                columns = {**unchanged, "patched": patched}
                yield pl.DataFrame({n: v.cpu().numpy() for n, v in columns.items()}).with_columns(
                    pl.lit(k).alias("state"), pl.lit(place).alias("place"), pl.lit(run).alias("run")
                )


def _difference(
    model: LanguageModel, last_state: Float[Tensor, "pairs seq width"], pairs: PromptPairs
) -> Float[Tensor, " pairs"]:
    """Score of the source's answer minus that of the base's, after the last token."""
    every = torch.arange(len(last_state), device=last_state.device)
    logits = model.unembed(last_state[every, pairs.last().to(last_state.device)])
    answers = pairs.answers.to(logits.device)
    return logits[every, answers[:, 0]] - logits[every, answers[:, 1]]
