"""One outer fold of nested cross-validation: models chosen on its training texts, and tested."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.folds import grouped_folds
from physlm.analysis.spectra.comparison.groups import Texts, is_constant
from physlm.analysis.spectra.comparison.logistic import fit_logistic, with_intercept

_N_INNER = 4
_PENALTIES = (0.3, 3.0, 30.0)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The chosen model of an outer fold, on its test texts.

    Attributes:
        logits: Logits; positive where a text is predicted to be valid.
        candidate: Which candidate column was chosen; 0 if there were none.
        values: This column, standardised by the training texts.
        direction: 1 if its larger values indicate valid texts, else -1.
        loss: Loss of the chosen model in the inner folds, summed over training texts, in nats.
    """

    logits: Float[np.ndarray, " test"]
    candidate: int
    values: Float[np.ndarray, " test"]
    direction: int
    loss: float


class Split:
    """Training and test texts of an outer fold, and the inner folds of the training texts."""

    def __init__(
        self, texts: Texts, is_test: Bool[np.ndarray, " texts"], rng: np.random.Generator
    ) -> None:
        training = texts.at(~is_test)
        inner = grouped_folds(training, _N_INNER, rng)
        is_scored = inner == np.unique(inner)[:, None]
        self._is_test, self._label = is_test, training.is_valid
        # One fit for each inner fold and penalty, penalties innermost.
        self._is_scored = np.repeat(is_scored, len(_PENALTIES), axis=0)
        self._penalty = np.tile(_PENALTIES, len(is_scored))

    def best(
        self,
        terms: Float[np.ndarray, "texts terms"],
        candidates: Float[np.ndarray, "texts candidates"] | None = None,
    ) -> Fit:
        """The candidate and penalty of least loss in the inner folds, fitted on all of them.

        Args:
            terms: Terms that every model has.
            candidates: Columns, one for each model; None for the terms alone.
        """
        models = terms[None]
        if candidates is not None:
            shared = np.broadcast_to(terms, (candidates.shape[1], *terms.shape))
            models = np.concatenate([shared, candidates.T[..., None]], axis=2)
        models = self._standardised(models)
        losses = self._losses(models[:, ~self._is_test])
        candidate, penalty = divmod(int(losses.argmin()), len(_PENALTIES))
        loss = float(losses[candidate, penalty])
        return self._fit(models[[candidate]], candidate, _PENALTIES[penalty], loss)

    def _losses(
        self, models: Float[np.ndarray, "models training terms"]
    ) -> Float[np.ndarray, "models penalties"]:
        """Loss of each model and penalty, over the texts of all inner folds."""
        weight = (~self._is_scored).astype(np.float64)
        fitted = fit_logistic(models, self._label, weight, self._penalty)
        logits = fitted @ with_intercept(models).mT
        losses = np.logaddexp(0, np.where(self._label, -logits, logits)) * self._is_scored
        by_fold = losses.sum(axis=-1).reshape(len(models), -1, len(_PENALTIES))
        total: np.ndarray = by_fold.sum(axis=1)
        return total

    def _fit(
        self, model: Float[np.ndarray, "1 texts terms"], candidate: int, penalty: float, loss: float
    ) -> Fit:
        weight = np.ones((1, len(self._label)))
        fitted = fit_logistic(model[:, ~self._is_test], self._label, weight, np.array([penalty]))
        test = model[:, self._is_test]
        has_values = model.shape[2] > 0
        return Fit(
            logits=(fitted @ with_intercept(test).mT)[0, 0],
            candidate=candidate,
            values=test[0, :, -1] if has_values else np.zeros(test.shape[1]),
            direction=1 if fitted[0, 0, -1] >= 0 else -1,
            loss=loss,
        )

    def _standardised(
        self, models: Float[np.ndarray, "models texts terms"]
    ) -> Float[np.ndarray, "models texts terms"]:
        """Terms in units of the training texts; one that is constant there becomes 0."""
        training = models[:, ~self._is_test]
        mean, deviation = training.mean(axis=1), training.std(axis=1)
        flat = training.transpose(1, 0, 2).reshape(training.shape[1], -1)
        is_flat = is_constant(flat).reshape(mean.shape)
        units = np.where(is_flat, np.inf, deviation)
        standardised: np.ndarray = (models - mean[:, None]) / units[:, None]
        return standardised
