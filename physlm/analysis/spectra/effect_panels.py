"""Panels of effects: layers by heads, curves over layers, AUC bars, roles of heads."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.image import AxesImage
from scipy import stats

VALID, INVALID, UNTRAINED = "C0", "C3", "0.55"
SIGNIFICANT = 0.05
_SMALLEST_Q = 1e-4
_MOST_TICKS = 8
_MARKS = (("D", "0.3"), ("x", INVALID))


def draw_effect_map(axes: Axes, rows: pl.DataFrame, limit: float) -> AxesImage:
    """Effect in pairs at each layer and head, grey where it is undefined.

    A dot marks q below 0.05. The last column is the graph of the mean over heads, if measured.

    Args:
        axes: The panel.
        rows: One row per layer and head.
        limit: Effect of the strongest colours.
    """
    image = axes.imshow(
        _matrix(rows, "d_paired"), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto"
    )
    _finish_map(axes, rows, "q_paired")
    return image


def draw_q_map(axes: Axes, rows: pl.DataFrame) -> AxesImage:
    """The q-value of the difference at each layer and head; see ``draw_effect_map``."""
    values = np.maximum(_matrix(rows, "q"), _SMALLEST_Q)
    image = axes.imshow(values, cmap="YlGnBu_r", norm=LogNorm(_SMALLEST_Q, 1), aspect="auto")
    _finish_map(axes, rows, "q")
    return image


def draw_effects_by_layer(axes: Axes, rows: pl.DataFrame) -> None:
    """Effects by layer: raw, at equal length, at equal likelihood too, and of an untrained model.

    Lines show the graph of the mean over heads, with 95% intervals; dots show single heads.

    Args:
        axes: The panel.
        rows: One row per arm, layer and head.
    """
    lines = {
        "raw": ("model", "d_raw", "C1", "--"),
        "at equal length": ("model", "d_length", "C0", "-"),
        "at equal length and likelihood": ("model", "d_controls", "C2", "-"),
        "untrained, at equal length": ("untrained", "d_length", UNTRAINED, "-"),
    }
    shifts = dict(zip(lines, (0, -0.16, 0, 0.16), strict=True))
    axes.axhline(0, color="black", linewidth=0.6)
    for label, (arm, column, colour, style) in lines.items():
        own = rows.filter(arm=arm).sort("layer")
        heads, mean = own.filter(pl.col("head") >= 0), own.filter(head=-1)
        if column != "d_raw":
            axes.plot(
                heads["layer"] + shifts[label], heads[column], ".", color=colour, alpha=0.5, ms=4
            )
            low, high = (mean[f"{column}_{end}"].cast(pl.Float64) for end in ("low", "high"))
            axes.fill_between(mean["layer"], low, high, color=colour, alpha=0.2, linewidth=0)
        order = 3 if column == "d_raw" else 2
        axes.plot(
            mean["layer"],
            mean[column],
            style,
            color=colour,
            marker="o",
            ms=3,
            label=label,
            zorder=order,
        )
    _layer_ticks(axes, rows)


def draw_groups_by_layer(axes: Axes, rows: pl.DataFrame) -> None:
    """Means of valid and invalid texts by layer, in the graph of the mean, with 95% intervals.

    Args:
        axes: The panel.
        rows: One row per layer.
    """
    own = rows.sort("layer")
    for group, colour, style in (("valid", VALID, "-"), ("invalid", INVALID, "--")):
        mean = own[f"mean_{group}"].to_numpy()
        error = (1.96 * own[f"sd_{group}"] / own[f"n_{group}"].sqrt()).to_numpy()
        axes.plot(own["layer"], mean, style, marker="o", ms=3, color=colour, label=group)
        axes.fill_between(
            own["layer"], mean - error, mean + error, color=colour, alpha=0.2, linewidth=0
        )
    _layer_ticks(axes, rows)


def draw_auc_bars(
    axes: Axes,
    spectral: Mapping[str, float | None],
    controls: Mapping[str, float | None],
    arms: Mapping[str, Mapping[str, float]],
) -> None:
    """AUC on held-out texts: how often a valid text has the larger value than an invalid one.

    Bars start at 1/2; one to the left means that valid texts have the smaller values.

    Args:
        axes: The panel.
        spectral: AUC by metric; None where it is the same in all texts.
        controls: AUC by covariate.
        arms: AUC by metric, of the arms that are drawn as marks on the bars.
    """
    bars = [
        *((n, v, VALID) for n, v in spectral.items()),
        *((n, v, "C1") for n, v in controls.items()),
    ]
    for i, (_, value, colour) in enumerate(bars):
        if value is None:
            axes.text(0.52, i, "constant", va="center", fontsize="x-small", color="0.4")
        else:
            axes.barh(i, value - 0.5, left=0.5, color=colour, alpha=0.75)
    for (arm, found), (marker, colour) in zip(arms.items(), _MARKS, strict=False):
        own = [(found[name], i) for i, (name, *_) in enumerate(bars) if name in found]
        axes.plot(*zip(*own, strict=True), marker, color=colour, ms=4.5, label=arm)
    axes.axvline(0.5, color="black", linewidth=0.6)
    axes.set_yticks(range(len(bars)), [shown(name) for name, *_ in bars])
    axes.set(xlim=(0, 1), ylim=(len(bars) - 0.4, -0.6))
    axes.tick_params(labelsize="x-small")


def role_correlations(
    rows: pl.DataFrame, metrics: Sequence[str], roles: Sequence[str]
) -> Float[np.ndarray, "metrics roles"]:
    """Rank correlations over heads of each metric with each role; NaN if either is constant.

    Args:
        rows: One row per layer, head and metric, with column ``mean``.
        metrics: Spectral metrics.
        roles: Companions, such as ``previous_token_mass``.
    """
    wide = rows.pivot(on="metric", index=["layer", "head"], values="mean").drop_nulls()
    found = np.full((len(metrics), len(roles)), np.nan)
    for i, metric in enumerate(metrics):
        for j, role in enumerate(roles):
            values, own = wide[metric], wide[role]
            if values.n_unique() > 1 and own.n_unique() > 1:
                found[i, j] = stats.spearmanr(values, own).statistic
    return found


def draw_correlations(
    axes: Axes,
    values: Float[np.ndarray, "metrics roles"],
    metrics: Sequence[str],
    roles: Sequence[str],
) -> AxesImage:
    """Rank correlations as a table with colours.

    Args:
        axes: The panel.
        values: Result of ``role_correlations``.
        metrics: Names of the rows.
        roles: Names of the columns.
    """
    image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        ink = "white" if abs(value) > 0.6 else "black"
        text = "-" if np.isnan(value) else f"{value:.2f}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(roles)), [in_two_lines(role) for role in roles])
    axes.set_yticks(range(len(metrics)), [shown(metric) for metric in metrics])
    return image


def shown(name: str) -> str:
    """A metric's name in words."""
    return name.replace("_", " ")


def in_two_lines(name: str) -> str:
    """A metric's name in words, broken in the middle if it has several."""
    words = name.split("_")
    half = (len(words) + 1) // 2
    return "\n".join(filter(None, (" ".join(words[:half]), " ".join(words[half:]))))


def _matrix(rows: pl.DataFrame, column: str) -> Float[np.ndarray, "layers columns"]:
    """Values by layer and head; the mean graph, head -1, comes last."""
    layers, heads = rows["layer"].unique().sort().to_list(), _heads(rows)
    found = np.full((len(layers), len(heads)), np.nan)
    for layer, head, value in rows.select("layer", "head", column).iter_rows():
        found[layers.index(layer), heads.index(head)] = np.nan if value is None else value
    return found


def _heads(rows: pl.DataFrame) -> list[int]:
    return sorted(rows["head"].unique(), key=lambda head: (head < 0, head))


def _finish_map(axes: Axes, rows: pl.DataFrame, q: str) -> None:
    layers, heads = rows["layer"].unique().sort().to_list(), _heads(rows)
    axes.set_facecolor("0.8")
    for layer, column in zip(*np.nonzero(_matrix(rows, q) < SIGNIFICANT), strict=True):
        axes.plot(column, layer, ".", color="black", ms=4)
    own = [i for i, head in enumerate(heads) if head >= 0]
    ticks = {i: str(heads[i]) for i in own[:: 1 + (len(own) - 1) // _MOST_TICKS]}
    if -1 in heads:
        ticks[len(heads) - 1] = "mean"
        axes.axvline(len(own) - 0.5, color="black", linewidth=1.2)
    axes.set_xticks(list(ticks), list(ticks.values()))
    step = 1 + (len(layers) - 1) // _MOST_TICKS
    axes.set_yticks(range(0, len(layers), step), [str(n) for n in layers[::step]])
    axes.tick_params(labelsize="x-small", length=2)


def _layer_ticks(axes: Axes, rows: pl.DataFrame) -> None:
    layers = rows["layer"].unique().sort().to_list()
    axes.set_xticks(layers[:: 1 + (len(layers) - 1) // _MOST_TICKS])
    axes.tick_params(labelsize="x-small")
