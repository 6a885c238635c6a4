"""Folds of cross-validation that keep the texts of one problem together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from physlm.analysis.spectra.comparison.groups import Texts


def grouped_folds(texts: Texts, n_folds: int, rng: np.random.Generator) -> Int[np.ndarray, " own"]:
    """The fold of each text; a problem is in one fold, and labels and sizes are spread evenly.

    Problems are dealt out in the order of their numbers of valid and invalid texts, equal ones in
    random order. There are no more folds than problems.
    """
    n_valid = np.bincount(texts.problem, weights=texts.is_valid)
    n_texts = np.bincount(texts.problem)
    order = np.lexsort((rng.random(len(n_texts)), n_texts, n_valid))
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % min(n_folds, len(order))
    dealt: np.ndarray = fold[texts.problem]
    return dealt


def joined(
    parts: Sequence[Float[np.ndarray, " _test"]], tests: Sequence[Bool[np.ndarray, " texts"]]
) -> Float[np.ndarray, " texts"]:
    """The parts of all test folds, in the order of the texts."""
    whole = np.empty(len(tests[0]))
    for part, is_test in zip(parts, tests, strict=True):
        whole[is_test] = part
    return whole


def why_not_validated(texts: Texts, folds: Int[np.ndarray, " texts"]) -> str | None:
    """Why these folds allow no nested cross-validation; None if they do."""
    for fold in np.unique(folds):
        training = texts.at(folds != fold)
        if min(training.n_of_label) < 1:
            return "a training fold has texts of one label only: no cross-validation"
        if training.n_problems < 2:
            return f"{texts.n_problems} problems are too few for nested cross-validation"
    return None
