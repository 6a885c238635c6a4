"""Figures of experiments on spectra: effect by dose, accuracy beside the controls, verdicts."""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.spectra.effect_panels import shown
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.report.results import Results

_ANY = "any"  # the best of all spectral metrics
_STYLES = {"untrained": ("-", "0.5"), "shuffled": ("--", "C3")}
_MARKS = {"untrained": "D", "shuffled": "x"}
_MODELS = ("length", "controls", "spectra", "both")
_CHANCE = 0.5


def draw_spectra_experiment(results: Results) -> Figure:
    """Above, the effect by dose for each corruption; below, accuracies, effects and verdicts.

    Effects are those of the layer and head chosen on training folds, measured on other texts. Lower
    panels show the smallest number of errors.
    """
    corruptions = _whole(results, "spectra/accuracy")["corruption"].unique().sort().to_list()
    width = max(11.0, 3.0 * len(corruptions))
    figure = Figure(figsize=(width, 7.5), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    doses = upper.subplots(1, len(corruptions), squeeze=False, sharey=True)[0]
    for axes, corruption in zip(doses, corruptions, strict=True):
        draw_effect_by_dose(axes, results, corruption)
    doses[0].set_ylim(bottom=0)  # now: a limit ends the scaling of the axis that all panels share
    doses[0].set_ylabel("|d| in pairs, best spectral metric")
    upper.legend(*doses[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    accuracies, effects, verdicts = lower.subplots(1, 3)
    draw_accuracies(accuracies, results)
    draw_metric_effects(effects, results)
    draw_verdicts(verdicts, results)
    return figure


def draw_effect_by_dose(axes: Axes, results: Results, corruption: str, metric: str = _ANY) -> None:
    """Effect in pairs, without its sign, against the number of errors, with both control arms.

    Bands are one standard error over runs. The dotted line is the effect that a single test detects
    with 80% power.

    Args:
        axes: The panel.
        results: Of the runs.
        corruption: Of the texts.
        metric: A spectral metric, or ``any`` for the best of all.
    """
    own = _whole(results, "spectra/effect").filter(corruption=corruption, metric=metric)
    own = own.with_columns(pl.col("arm").fill_null("trained"))
    for label, (style, colour) in {"trained": ("-", "C0"), **_STYLES}.items():
        means = _means(own.filter(arm=label), "n_errors")
        axes.plot(means["n_errors"], means["mean"], style, color=colour, marker="o", label=label)
        low, high = means["mean"] - means["stderr"], means["mean"] + means["stderr"]
        axes.fill_between(means["n_errors"], low, high, color=colour, alpha=0.2, linewidth=0)
    least = _whole(results, "spectra/smallest_detectable_d").filter(corruption=corruption)
    axes.axhline(_mean(least), color="black", linestyle=":", linewidth=1, label="80% power")
    doses = own["n_errors"].unique().sort().to_list()
    axes.set_xscale("log", base=2)
    axes.set_xticks(doses, [str(dose) for dose in doses])
    axes.minorticks_off()
    axes.set(xlabel="errors in a text", title=shown(corruption))


def draw_accuracies(axes: Axes, results: Results) -> None:
    """Nested accuracy of length, controls, spectra and both by corruption; a dot is a run."""
    own = _at_smallest_dose(_whole(results, "spectra/accuracy"))
    corruptions = own["corruption"].unique().sort().to_list()
    size = 0.8 / len(_MODELS)
    for m, model in enumerate(_MODELS):
        places = [i + (m - 1.5) * size for i in range(len(corruptions))]
        values = [own.filter(corruption=name, model=model)["value"] for name in corruptions]
        heights = [float(found.to_numpy().mean()) for found in values]
        axes.bar(places, heights, size, color=f"C{m}", alpha=0.6, label=model)
        for place, found in zip(places, values, strict=True):
            axes.plot([place] * len(found), found, "k.", ms=4)
    axes.axhline(_CHANCE, color="black", linestyle=":", linewidth=1)
    axes.set_xticks(range(len(corruptions)), [name.replace("_", "\n") for name in corruptions])
    axes.set(ylabel="nested accuracy", ylim=(0, 1.25))
    axes.set_title("accuracy of four models,\nsmallest dose", fontsize="medium")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.legend(fontsize="x-small", ncols=2, loc="upper center")
    axes.tick_params(labelsize="small")


def draw_metric_effects(axes: Axes, results: Results) -> None:
    """Effect in pairs of each metric, without its sign, mean over corruptions and runs.

    Marks are the untrained model and shuffled labels; orange bars are metrics without a spectrum.
    """
    own = _at_smallest_dose(_whole(results, "spectra/effect"))
    trained = _means(own.filter(pl.col("arm").is_null()), "metric").sort("mean")
    names = trained["metric"].to_list()
    colours = ["C1" if name in COMPANIONS else "C0" for name in names]
    errors = trained["stderr"]
    axes.barh(range(len(names)), trained["mean"], xerr=errors, color=colours, alpha=0.6)
    for (arm, marker), (_, colour) in zip(_MARKS.items(), _STYLES.values(), strict=True):
        means = dict(_means(own.filter(arm=arm), "metric").select("metric", "mean").iter_rows())
        places = [i for i, name in enumerate(names) if name in means]
        axes.plot([means[names[i]] for i in places], places, marker, color=colour, ms=5)
    axes.set_yticks(range(len(names)), [shown(name) for name in names])
    axes.set_xlabel("|d| in pairs, smallest dose")
    axes.set_title("\u25c6 untrained, \u00d7 shuffled labels", fontsize="medium")
    axes.tick_params(labelsize="small")


def draw_verdicts(axes: Axes, results: Results) -> None:
    """Runs in which a metric has evidence beyond length and likelihood, of those that decide it."""
    own = _at_smallest_dose(_whole(results, "spectra/is_beyond"))
    undecided = _at_smallest_dose(_whole(results, "spectra/is_decided")).filter(value=0)
    key = ["run_id", "metric", "corruption"]
    own = own.join(undecided.select(*key, is_open=True), on=key, how="left")
    counts = own.group_by("metric", "corruption").agg(
        pl.col("value").sum(), n=pl.col("is_open").is_null().sum()
    )
    metrics = own["metric"].unique().sort().to_list()
    corruptions = own["corruption"].unique().sort().to_list()
    shares = np.full((len(metrics), len(corruptions)), np.nan)
    for metric, corruption, value, n in counts.iter_rows():
        i, j = metrics.index(metric), corruptions.index(corruption)
        shares[i, j] = value / n if n else np.nan
        text = f"{value:.0f} of {n}" if n else "not decided"
        axes.text(j, i, text, ha="center", va="center", fontsize=7)
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=2, aspect="auto")  # pale enough for the ink
    axes.set_xticks(range(len(corruptions)), [name.replace("_", "\n") for name in corruptions])
    axes.set_yticks(range(len(metrics)), [shown(name) for name in metrics])
    title = "runs with evidence beyond length\nand likelihood, smallest dose"
    axes.set_title(title, fontsize="medium")
    axes.tick_params(labelsize="small")


_DIMS = ("corruption", "n_errors", "metric", "arm", "model")


def _whole(results: Results, name: str) -> pl.DataFrame:
    """A metric by its dimensions, without its variants (first tokens left out, mean graphs)."""
    rows = results.along(name)
    missing = [pl.lit(None, pl.String).alias(dim) for dim in _DIMS if dim not in rows.columns]
    variants = [dim for dim in rows.columns if dim not in {"run_id", "value", *_DIMS}]
    return rows.with_columns(missing).filter(*(pl.col(dim).is_null() for dim in variants))


def _at_smallest_dose(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("n_errors") == pl.col("n_errors").min().over("corruption"))


def _means(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Mean and standard error over runs, each of which is a mean over what else it has."""
    runs = rows.group_by("run_id", by).agg(pl.col("value").mean())
    return (
        runs.group_by(by)
        .agg(
            mean=pl.col("value").mean(),
            stderr=(pl.col("value").std() / pl.len().sqrt()).fill_null(0.0),
        )
        .sort(by)
    )


def _mean(rows: pl.DataFrame) -> float:
    return float(rows["value"].to_numpy().mean())
