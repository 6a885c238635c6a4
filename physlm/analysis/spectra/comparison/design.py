"""What a comparison controls for: length, likelihood and entropy, as terms of a regression."""

import numpy as np
from jaxtyping import Float

from physlm.analysis.spectra.comparison.groups import Texts, is_constant

_LIKELIHOOD = ("mean_log_probability", "min_log_probability", "mean_entropy")
_COLLINEAR = 1e-7


def length_terms(texts: Texts) -> Float[np.ndarray, "texts terms"]:
    """Standardised log length, its square and its cube; no term if all lengths are equal."""
    log_length = np.log(texts.n_tokens)
    if is_constant(log_length[:, None])[0]:
        return np.empty((len(log_length), 0))
    z = (log_length - log_length.mean()) / log_length.std()
    return np.column_stack([z, z**2, z**3])


def control_terms(texts: Texts) -> Float[np.ndarray, "texts terms"]:
    """The terms of the length, and mean and least log-probability and mean entropy as they are."""
    likelihood = np.column_stack([texts.covariates[name] for name in _LIKELIHOOD])
    return np.column_stack([length_terms(texts), likelihood[:, ~is_constant(likelihood)]])


def orthonormal(terms: Float[np.ndarray, "texts terms"]) -> Float[np.ndarray, "texts rank"]:
    """Orthonormal basis of a constant and the terms; what follows from earlier terms is left out.

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
    """What linear regression on the basis leaves of each column."""
    rest: np.ndarray = values - basis @ (basis.T @ values)
    return rest
