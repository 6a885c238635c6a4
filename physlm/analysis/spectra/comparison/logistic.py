"""Logistic regression with a penalty, many small ones at a time."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

_N_STEPS = 60
_CONVERGED = 1e-4  # largest change of a logit; by then the error is about its square
_INTERCEPT_PENALTY = 1e-4  # keeps the intercept finite where all labels are equal


def fit_logistic(
    terms: Float[np.ndarray, "models texts terms"],
    is_valid: Bool[np.ndarray, " texts"],
    weight: Float[np.ndarray, "fits texts"],
    penalty: Float[np.ndarray, " fits"],
) -> Float[np.ndarray, "models fits coefficients"]:
    """Coefficients, intercept first, of each model in each fit.

    Minimises the weighted sum of losses plus penalty / 2 times the sum of squared coefficients, by
    damped Newton steps that always lower it. All fits of a model share its table of products of
    terms, so that a Hessian is one product of matrices.

    Args:
        terms: Explanatory variables of each model, standardised.
        is_valid: The label.
        weight: Weight of each text in each fit; 0 leaves it out.
        penalty: Penalty of the coefficients in each fit, the intercept excepted.

    Source:
        Sun and Tran-Dinh (2019), Generalized self-concordant functions: the length of the step.
    """
    design = with_intercept(terms)
    n_models, n_texts, n_terms = design.shape
    products = (design[..., :, None] * design[..., None, :]).reshape(n_models, n_texts, -1)
    ridge = np.repeat(penalty[:, None], n_terms, axis=1)
    ridge[:, 0] = _INTERCEPT_PENALTY
    ridges = ridge[..., None] * np.eye(n_terms)
    found = np.zeros((n_models, len(weight), n_terms))
    logits = found @ design.mT
    for _ in range(_N_STEPS):
        chance = expit(logits)
        gradient = (weight * (is_valid - chance)) @ design - ridge * found
        hessian = ((weight * chance * (1 - chance)) @ products).reshape(*found.shape, n_terms)
        step = np.linalg.solve(hessian + ridges, gradient[..., None])[..., 0]
        change = step @ design.mT
        largest = np.abs(change).max(axis=-1, keepdims=True)
        damping = np.log1p(largest) / np.maximum(largest, 1e-300)
        found, logits = found + damping * step, logits + damping * change
        if largest.max() < _CONVERGED:
            break
    return found


def with_intercept(
    terms: Float[np.ndarray, "models texts terms"],
) -> Float[np.ndarray, "models texts coefficients"]:
    """The terms after a constant."""
    return np.concatenate([np.ones((*terms.shape[:2], 1)), terms], axis=2)
