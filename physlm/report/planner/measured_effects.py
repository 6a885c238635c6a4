"""What junk, quantisation and the MLP do to capacity, by the committed runs.

Each was varied at one size of world and model. Effects are on the load (`Fit.load`), for which a
larger model can make up, not on the stored fraction, which has an upper bound.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from physlm.report.planner.case import FULL_PRECISION, MOST_JUNK, Mlp
from physlm.report.planner.curve import Curve, Share
from physlm.report.planner.measured_law import Anchored, Fit
from physlm.report.planner.measured_runs import by_exposures, fractions, measured, sizes
from physlm.report.results import Results

_IS_FRESH = (pl.col("data.junk_kind") == "biographies") & (pl.col("data.n_junk_people") > 1000)
_RATE = pl.col("optim.learning_rate") == 6e-3


class Junk(NamedTuple):
    """The effect of junk about people who never recur.

    Attributes:
        most: Of the most junk, without domain tokens and with one before every document.
        share: The harm of less junk over that of the most.
        steps: Optimizer steps for each exposure.
    """

    most: dict[bool, Anchored]
    share: Share
    steps: float


def junk_effect(folder: Path, fit: Fit) -> Junk:
    """The effect of junk, relative to none after 100 exposures.

    Hence the law's own error at this size is no part of it.

    Args:
        folder: Of the experiments.
        fit: The law.
    """
    runs, tokens = measured(folder / "capacity_junk"), measured(folder / "capacity_domain_token")
    junk = pl.col("data.junk_fraction")
    clean = runs.filter(junk == 0)
    least = _loads(clean, fit).mean()
    harms = {
        fraction: least - _loads(runs.filter((junk == fraction) & _IS_FRESH), fit).mean()
        for fraction in (0.05, 0.5, MOST_JUNK)
    }
    error = float(least - fit.log_load(*sizes(clean)))
    most = tokens.filter(junk == MOST_JUNK)
    groups = {
        False: most.filter(pl.col("data.domain_token").is_null()),
        True: most.filter(pl.col("data.junk_token").is_not_null()),
    }
    shares = ((f, float(harm / harms[MOST_JUNK])) for f, harm in harms.items())
    return Junk(
        {has_token: _alone(group, fit, error) for has_token, group in groups.items()},
        Share(((0.0, 0.0), *shares)),
        float(np.median(most["steps"].to_numpy() / most["exposures"].to_numpy())),
    )


def mlp_effects(folder: Path, fit: Fit) -> dict[Mlp, Anchored]:
    """The effect of other MLPs than the plain one, in models of equal size."""
    gated = measured(folder / "capacity_gated_mlp").filter(_RATE & pl.col("model.tie_embeddings"))
    experts = measured(folder / "capacity_moe").filter(_RATE)
    kind, n_experts = pl.col("model.mlp"), pl.col("model.n_experts")
    plain = gated.filter((kind == "gelu") & (pl.col("model.mlp_ratio") == 4))
    return {
        Mlp.gated: _compared(gated.filter(kind == "gated_silu"), plain, fit),
        Mlp.moe: _compared(experts.filter(n_experts == 32), experts.filter(n_experts == 1), fit),
    }


def weights_effect(folder: Path, fit: Fit) -> tuple[dict[int, tuple[float, float]], float]:
    """The effect of quantisation with one scale per 32 weights, and the exposures before it.

    Returns:
        Logarithm of the factor and its spread by bits of a weight, -inf if nothing is left; and the
        exposures.
    """
    runs = measured(folder / "capacity_quantised")
    trained = runs.filter(experiment="capacity_1000x")
    rounded = runs.filter(pl.col("model.group_size") == 32)
    found = {FULL_PRECISION: (0.0, 0.0)}
    for bits in (8, 4):
        own = rounded.filter(pl.col("model.weight_bits") == bits)
        if fractions(own).mean() <= 0:
            found[bits] = (-math.inf, 0.0)
        else:
            factors = _loads(own, fit) - _loads(trained, fit)
            found[bits] = (float(factors.mean()), float(factors.std(ddof=1)))
    return found, sizes(trained)[2]


def among_frequent(folder: Path) -> tuple[tuple[float, float], ...]:
    """Exposures and the fraction of values stored, of rare and frequent people in one world.

    Args:
        folder: Of the experiments.
    """
    results = Results.read(folder / "capacity_exposures").filter(experiment="capacity_exposures")
    epochs = float(results.runs["exposures"].to_numpy().min())
    found = results.along("capacity/fraction_learned").group_by("frequency").agg("value")
    return tuple(
        (epochs * float(frequency), sum(values) / len(values))
        for frequency, values in found.sort("frequency").iter_rows()
    )


def _alone(runs: pl.DataFrame, fit: Fit, error: float) -> Anchored:
    """The exposure term of the load in some runs, less the error of the law."""
    points, spreads = [], []
    for group in by_exposures(runs):
        bits, parameters, exposures = sizes(group)
        loads = _loads(group, fit)
        log = float(loads.mean()) - fit.log_size(bits, parameters) - error
        points.append((exposures, math.exp(log)))
        spreads.append(float(loads.std(ddof=1)))
    return Anchored(Curve(tuple(points)), sizes(runs)[1], _root_mean_square(spreads))


def _compared(runs: pl.DataFrame, others: pl.DataFrame, fit: Fit) -> Anchored:
    """The exposure term at which the loads have the ratio of the two groups."""
    points, spreads = [], []
    for group in by_exposures(runs):
        _, parameters, exposures = sizes(group)
        loads = _loads(group, fit)
        ratio = float(loads.mean() - _loads(others.filter(exposures=exposures), fit).mean())
        points.append((exposures, math.exp(fit.log_exposed(parameters, exposures) + ratio)))
        spreads.append(float(loads.std(ddof=1)))
    return Anchored(Curve(tuple(points)), sizes(runs)[1], _root_mean_square(spreads))


def _loads(runs: pl.DataFrame, fit: Fit) -> np.ndarray:
    """Logarithms of the loads at which the law gives the measured fractions."""
    return np.array([math.log(fit.load(float(fraction))) for fraction in fractions(runs)])


def _root_mean_square(values: list[float]) -> float:
    return math.sqrt(sum(value**2 for value in values) / len(values))
