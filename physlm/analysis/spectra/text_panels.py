"""Panels of single texts: densities, a metric against the length, accuracy by coverage."""

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from physlm.analysis.spectra.effect_panels import INVALID, VALID

_GROUPS = ((True, "valid", VALID), (False, "invalid", INVALID))


def draw_densities(axes: Axes, rows: pl.DataFrame) -> None:
    """Density of the values of valid and of invalid texts; every text is a tick below.

    Args:
        axes: The panel.
        rows: One row per text, with columns ``is_valid`` and ``value``.
    """
    values = rows["value"].to_numpy()
    margin = 0.1 * np.ptp(values)
    grid = np.linspace(values.min() - margin, values.max() + margin, 200)
    for is_valid, label, colour in _GROUPS:
        own = rows.filter(is_valid=is_valid)["value"].to_numpy()
        if np.ptp(own) > 0 and len(own) > 2:
            density = stats.gaussian_kde(own)(grid)
            axes.plot(grid, density, color=colour, label=label)
            axes.fill_between(grid, 0, density, color=colour, alpha=0.15, linewidth=0)
        place = -0.03 if is_valid else -0.07
        height = np.full(len(own), place)
        transform = axes.get_xaxis_transform()
        axes.plot(
            own, height, "|", color=colour, ms=4, alpha=0.4, transform=transform, clip_on=False
        )
    axes.set(yticks=[], ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))  # no room for more digits
    axes.tick_params(axis="x", labelsize="x-small", pad=8)


def draw_lengths(axes: Axes, rows: pl.DataFrame) -> None:
    """Values against the number of tokens by label, with the curve that length alone predicts.

    Args:
        axes: The panel.
        rows: One row per text, with columns ``is_valid``, ``n_tokens`` and ``value``.
    """
    for is_valid, label, colour in _GROUPS:
        own = rows.filter(is_valid=is_valid)
        axes.plot(own["n_tokens"], own["value"], ".", color=colour, alpha=0.5, ms=4, label=label)
    grid, curve = length_curve(
        rows["n_tokens"].cast(pl.Float64).to_numpy(), rows["value"].to_numpy()
    )
    axes.plot(grid, curve, color="black", linewidth=1.2, label="length alone")
    axes.tick_params(labelsize="x-small")


def length_curve(
    n_tokens: Float[np.ndarray, " texts"], values: Float[np.ndarray, " texts"]
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """Least squares of values on powers of log length, as in ``d_length`` without the label.

    The degree is 3, or less where there are fewer lengths.

    Returns:
        Numbers of tokens, and the value predicted at each.
    """
    degree = min(3, len(np.unique(n_tokens)) - 1)
    logs = np.log(n_tokens)
    fitted = np.polynomial.Polynomial.fit(logs, values, degree)
    grid = np.linspace(logs.min(), logs.max(), 100)
    return np.exp(grid), fitted(grid)


def draw_coverage(axes: Axes, rows: pl.DataFrame) -> None:
    """Fraction of valid texts among those that a metric, and log-probability, accept first.

    Args:
        axes: The panel.
        rows: Rows of ``coverage_curves``, of all metrics of a comparison.
    """
    likely = rows.filter(metric=rows["metric"][0])
    axes.plot(
        likely["coverage"], likely["log_probability"], "k--", label="log-probability", linewidth=1.5
    )
    for i, metric in enumerate(rows["metric"].unique(maintain_order=True)):
        own = rows.filter(metric=metric)
        axes.plot(
            own["coverage"],
            own["accuracy"],
            color=f"C{i}",
            marker=".",
            label=metric.replace("_", " "),
        )
    axes.axhline(
        likely["accuracy"][-1], color="grey", linewidth=0.8, linestyle=":", label="all texts"
    )
    axes.tick_params(labelsize="x-small")
