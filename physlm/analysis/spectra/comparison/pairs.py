"""Pairs of a valid and an invalid text of about equal length, and differences within them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from physlm.analysis.spectra.comparison.effects import Statistics, has_ties
from physlm.analysis.spectra.comparison.groups import Texts

_TOLERANCE = 0.05  # of the tokens of the valid text
_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Texts that are compared with each other.

    Attributes:
        valid: Index of the valid text of each pair.
        invalid: Index of the invalid one.
        n_natural: Number of pairs within a problem; these come first.
    """

    valid: Int[np.ndarray, " pairs"]
    invalid: Int[np.ndarray, " pairs"]
    n_natural: int


def matched_pairs(texts: Texts, folds: Int[np.ndarray, " texts"] | None = None) -> Pairs:
    """Pairs within each problem, then pairs of what is left across problems.

    Each valid text, longest first, is matched to the free invalid one of nearest length within 5%
    of its own; ties by order.

    Args:
        texts: The texts.
        folds: Outer folds, which no pair straddles: held-out values of two folds come from
            different layers and heads. None for values of one column.
    """
    natural: list[tuple[int, int]] = []
    for problem in texts.mixed_problems:
        natural += _greedy(texts, np.flatnonzero(texts.problem == problem))
    taken = {index for pair in natural for index in pair}
    is_left = np.array([i not in taken for i in range(len(texts.problem))])
    folds = np.zeros_like(texts.problem) if folds is None else folds
    across = [
        pair
        for fold in np.unique(folds)
        for pair in _greedy(texts, np.flatnonzero(is_left & (folds == fold)))
    ]
    both = np.array(natural + across, dtype=np.int64).reshape(-1, 2)
    return Pairs(both[:, 0], both[:, 1], len(natural))


def paired_effects(values: Float[np.ndarray, "texts columns"], pairs: Pairs) -> Statistics:
    """Effect within pairs, sqrt(2) mean / sd of the differences, and Wilcoxon's p, per column.

    For independent values of equal spread it estimates Cohen's d; for matched texts the spread of
    their lengths does not dilute it. NaN for fewer than two pairs, or equal differences.
    """
    found = {name: np.full(values.shape[1], np.nan) for name in ("d_paired", "wilcoxon_p")}
    if len(pairs.valid) < 2:
        return found
    difference = values[pairs.valid] - values[pairs.invalid]
    deviation = difference.std(axis=0, ddof=1)
    has_spread = deviation > _NO_SPREAD * np.ptp(values, axis=0)
    units = difference[:, has_spread].mean(axis=0) / deviation[has_spread]
    found["d_paired"][has_spread] = np.sqrt(2) * units
    # scipy takes one method for all columns: ties in one would cost the others their exact test.
    is_tied = has_ties(np.abs(difference)) | (difference == 0).any(axis=0)
    for own, method in ((has_spread & is_tied, "asymptotic"), (has_spread & ~is_tied, "auto")):
        if own.any():
            found["wilcoxon_p"][own] = stats.wilcoxon(difference[:, own], method=method).pvalue
    return found


def _greedy(texts: Texts, among: Int[np.ndarray, " own"]) -> list[tuple[int, int]]:
    """Pairs among some texts."""
    valid, free = among[texts.is_valid[among]], among[~texts.is_valid[among]]
    pairs = []
    for index in valid[np.argsort(-texts.n_tokens[valid], kind="stable")]:
        if not len(free):
            break
        n_tokens = texts.n_tokens[index]
        distance = np.abs(texts.n_tokens[free] - n_tokens)
        nearest = int(distance.argmin())
        if distance[nearest] <= _TOLERANCE * n_tokens:
            pairs.append((int(index), int(free[nearest])))
            free = np.delete(free, nearest)
    return pairs
