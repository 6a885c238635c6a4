"""What a comparison controls for: length, likelihood and entropy, as terms of a regression."""

import numpy as np
from jaxtyping import Float

from physlm.analysis.spectra.comparison.groups import Texts, is_constant

_LIKELIHOOD = ("mean_log_probability", "min_log_probability", "mean_entropy")
_COLLINEAR = 1e-7
# Quantiles of the knots, for samples below 30, below 100, and larger ones.
_KNOTS = ((0.1, 0.5, 0.9), (0.05, 0.35, 0.65, 0.95), (0.05, 0.275, 0.5, 0.725, 0.95))
_SIZES = (30, 100)


def length_terms(texts: Texts) -> Float[np.ndarray, "texts terms"]:
    """Standardised log length, its square and its cube; no term if all lengths are equal."""
    log_length = np.log(texts.n_tokens)
    if is_constant(log_length[:, None])[0]:
        return np.empty((len(log_length), 0))
    z = (log_length - log_length.mean()) / log_length.std()
    return np.column_stack([z, z**2, z**3])


def control_terms(texts: Texts) -> Float[np.ndarray, "texts terms"]:
    """The terms of the length, and splines of mean and least log-probability and mean entropy.

    A straight line would not do: where label and metric both depend on the square of the
    log-probability, or on a threshold of it, the metric would seem to add to likelihood.
    """
    likelihood = np.column_stack([texts.covariates[name] for name in _LIKELIHOOD])
    varying = likelihood[:, ~is_constant(likelihood)]
    splines = [spline_terms(own) for own in varying.T]
    return np.column_stack([length_terms(texts), *splines])


def spline_terms(values: Float[np.ndarray, " texts"]) -> Float[np.ndarray, "texts terms"]:
    """Standardised values, and the other terms of their natural cubic spline.

    Knots are quantiles: five, four below 100 texts, three below 30; fewer where several are equal.
    Beyond the outer ones the spline is straight, so that single extreme texts do not decide it.

    Source:
        Stone and Koo (1985), Additive splines in statistics; knots as Harrell (2015), Regression
        modeling strategies, section 2.4.
    """
    z = (values - values.mean()) / values.std()
    knots = np.unique(np.quantile(z, _KNOTS[np.searchsorted(_SIZES, len(z), side="right")]))
    if len(knots) < 3:
        linear: np.ndarray = z[:, None]
        return linear
    *inner, last_but_one, last = knots
    cubes = {knot: np.maximum(z - knot, 0) ** 3 for knot in knots}
    straightened = [
        cubes[knot]
        - cubes[last_but_one] * (last - knot) / (last - last_but_one)
        + cubes[last] * (last_but_one - knot) / (last - last_but_one)
        for knot in inner
    ]
    return np.column_stack([z, *straightened])


def orthonormal(terms: Float[np.ndarray, "texts terms"]) -> Float[np.ndarray, "texts rank"]:
    """Orthonormal basis of a constant and the terms; linearly dependent terms are left out.

    Two distinct lengths, for example, leave nothing to the square and the cube.
    """
    basis = np.full((len(terms), 1), 1 / np.sqrt(len(terms)))
    for term in terms.T:
        centred = term - term.mean()
        rest = without(centred[:, None], basis)[:, 0]
        if np.linalg.norm(rest) > _COLLINEAR * np.linalg.norm(centred):
            rest = without(rest[:, None], basis)[:, 0]  # once more, against rounding
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return basis


def without(
    values: Float[np.ndarray, "texts columns"], basis: Float[np.ndarray, "texts rank"]
) -> Float[np.ndarray, "texts columns"]:
    """Residuals of each column after linear regression on the basis."""
    rest: np.ndarray = values - basis @ (basis.T @ values)
    return rest
