"""Distance of a text's value from the median of right texts, as a score."""

import numpy as np
from jaxtyping import Float

from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.comparison.folds import grouped_folds
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.rng import stream

_N_FOLDS = 5


def median_distance_auc(
    values: Float[np.ndarray, "texts columns"], texts: Texts, *, seed: int = 0
) -> float:
    """Probability that an invalid text lies farther from the median of valid ones than a valid one.

    If right answers have values within a range, the means of the groups need not differ. In each
    fold, median and column (the one of the largest such AUC) are those of the training texts.

    Args:
        values: A column per layer and head; none is constant.
        texts: Labels and problems.
        seed: Seed of the folds, which are those of the comparison.
    """
    folds = grouped_folds(texts, _N_FOLDS, stream(seed, "outer folds"))
    held_out = np.empty(len(values))
    for fold in np.unique(folds):
        is_test = folds == fold
        training, label = values[~is_test], texts.is_valid[~is_test]
        distance = np.abs(values - np.median(training[label], axis=0)) / training.std(axis=0)
        column = int(auc(distance[~is_test], label).argmin())
        held_out[is_test] = distance[is_test, column]
    return 1 - float(auc(held_out[:, None], texts.is_valid)[0])
