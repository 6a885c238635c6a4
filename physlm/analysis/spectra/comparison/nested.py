"""Predictions of the label by length, likelihood and spectra, in nested cross-validation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from physlm.analysis.spectra.comparison.design import (
    control_terms,
    length_terms,
    orthonormal,
    without,
)
from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.comparison.folds import joined
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.comparison.splits import Fit, Split
from physlm.rng import stream

CHOOSING = ("spectra", "both")
MODELS = ("length", "controls", *CHOOSING)
_N_CANDIDATES = 4  # columns of a family that pass the screen of a training fold


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of each model for every text, fitted on the other outer folds.

    Attributes:
        logits: Logits by model; positive where a text is predicted to be valid.
        chosen: The column that ``spectra`` and ``both`` chose in each outer fold.
        held_out: The values of these columns, each in the test fold for which it was chosen, in
            standard deviations from the mean of the training texts. Their sign is flipped in folds
            whose direction is not that of most folds, so that opposite columns do not cancel.
    """

    logits: Mapping[str, Float[np.ndarray, " texts"]]
    chosen: Mapping[str, Int[np.ndarray, " folds"]]
    held_out: Mapping[str, Float[np.ndarray, " texts"]]


def nested_predictions(
    values: Float[np.ndarray, "texts columns"],
    texts: Texts,
    families: Mapping[str, Int[np.ndarray, " _own"]],
    folds: Int[np.ndarray, " texts"],
    *,
    seed: int,
) -> dict[str, Predictions]:
    """Predictions for each family of columns; nothing is chosen on the texts it is tested on.

    All models are logistic regressions: ``length`` on the length, ``controls`` on splines of
    likelihood and entropy as well, ``spectra`` on one column, ``both`` on the controls and one
    column. Metric, layer, head, direction, threshold and penalty are chosen on the training texts:
    columns are screened by AUC, for ``both`` after removing what the controls explain, and the
    inner folds decide between those that pass.

    Args:
        values: One row per text; no column is constant.
        texts: Labels, problems and controls.
        families: The columns to choose from, by name.
        folds: The outer fold of each text.
        seed: Seed of the inner folds.
    """
    length, controls = length_terms(texts), control_terms(texts)
    fits: dict[tuple[str, str], list[Fit]] = {(f, m): [] for f in families for m in MODELS}
    chosen: dict[tuple[str, str], list[int]] = {(f, m): [] for f in families for m in CHOOSING}
    tests = [folds == fold for fold in np.unique(folds)]
    for i, is_test in enumerate(tests):
        split = Split(texts, is_test, stream(seed, "inner folds", i))
        alone = {"length": split.best(length), "controls": split.best(controls)}
        screens = _screens(values[~is_test], texts.is_valid[~is_test], controls[~is_test])
        for name, own in families.items():
            for model, fit in alone.items():
                fits[name, model].append(fit)
            for model, terms in (("spectra", controls[:, :0]), ("both", controls)):
                passed = own[np.argsort(-screens[model][own], kind="stable")[:_N_CANDIDATES]]
                fit = split.best(terms, values[:, passed])
                fits[name, model].append(fit)
                chosen[name, model].append(int(passed[fit.candidate]))
    return {
        name: Predictions(
            logits={m: joined([fit.logits for fit in fits[name, m]], tests) for m in MODELS},
            chosen={m: np.array(chosen[name, m]) for m in CHOOSING},
            held_out={m: _held_out(fits[name, m], tests) for m in CHOOSING},
        )
        for name in families
    }


def _screens(
    values: Float[np.ndarray, "texts columns"],
    is_valid: Bool[np.ndarray, " texts"],
    controls: Float[np.ndarray, "texts terms"],
) -> dict[str, Float[np.ndarray, " columns"]]:
    """How well each column separates the training texts: alone, and beyond the controls."""
    rest = without(values, orthonormal(controls))
    return {
        "spectra": np.abs(auc(values, is_valid) - 0.5),
        "both": np.abs(auc(rest, is_valid) - 0.5),
    }


def _held_out(
    fits: list[Fit], tests: list[Bool[np.ndarray, " texts"]]
) -> Float[np.ndarray, " texts"]:
    directions = np.array([fit.direction for fit in fits])
    most = 1 if directions.sum() >= 0 else -1
    turned = [fit.values * (fit.direction * most) for fit in fits]
    return joined(turned, tests)
