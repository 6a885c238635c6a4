"""Picking one of several continuations of each prompt."""

import numpy as np
from jaxtyping import Bool, Float, Int64

from physlm.analysis.spectra.text_columns import Choice, Columns, chosen_column

Right = Bool[np.ndarray, "prompts candidates"]


def picked(
    scores: Float[np.ndarray, "*scores prompts candidates"], is_right: Right
) -> Bool[np.ndarray, "*scores prompts"]:
    """Whether the highest-scoring continuation is right; the first of equal scores counts."""
    best = scores.argmax(axis=-1)
    found: np.ndarray = is_right[np.arange(len(is_right)), best]
    return found


def chosen_pick(
    columns: Columns, is_right: Right, is_fitting: Bool[np.ndarray, " prompts"]
) -> Choice:
    """The column and the direction that pick most right continuations of the fitting prompts."""

    def share(scores: Float[np.ndarray, "scores texts"]) -> Float[np.ndarray, " scores"]:
        own = scores.reshape(-1, *is_right.shape)[:, is_fitting]
        means: np.ndarray = picked(own, is_right[is_fitting]).mean(axis=-1)
        return means

    return chosen_column(columns, share)


def length_scores(
    n_tokens: Int64[np.ndarray, "prompts candidates"],
) -> dict[str, Float[np.ndarray, "prompts candidates"]]:
    """Scores that pick the longest, the shortest and the continuation of median length."""
    lengths = n_tokens.astype(np.float64)
    apart = np.abs(lengths - np.median(lengths, axis=1, keepdims=True))
    return {"longest": lengths, "shortest": -lengths, "median_length": -apart}
