"""Figures of a comparison of valid and invalid texts, from its measurement alone."""

from collections.abc import Callable, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.spectra import effect_panels, text_panels
from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.effect_panels import in_two_lines, shown
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.measurement import Dim, Measurement, Metric

# The paper's four metrics come first, where only some have room.
_FIRST = ("fiedler", "smoothness", "hfer", "spectral_entropy_normalised")
_N_CURVES = 4
_LEAST_LIMIT = 0.5  # sd; smaller effects get no strong colours
_COVARIATES = ("n_tokens", "mean_log_probability", "min_log_probability", "mean_entropy")
_MEAN = "/graph_mean"  # ends the name of a metric of the mean graph, beside those of heads
_ARMS = ("untrained", "shuffled")
_LABELS = ("valid", "invalid", "length alone")
_NOT_CHOSEN = "No layer and head was chosen, because nested cross-validation was not possible."

Draw = Callable[[Axes, str, str], object]


def draw_spectra(measurement: Measurement) -> dict[str, Figure]:
    """All figures of the scorer ``spectra``.

    They have a row of panels for each corruption, at the smallest number of errors measured, and
    say so where there are several.
    """
    found = _drawn(measurement)
    doses = measurement.tables["spectra"]["n_errors"].unique().sort().to_list()
    if len(doses) > 1:
        for figure in found.values():
            _say(figure, f"texts with the fewest errors (measured: {', '.join(map(str, doses))})")
    return found


def _say(figure: Figure, text: str) -> None:
    """Write a text below the label of the horizontal axes, or above a figure without one."""
    label = figure.get_supxlabel()
    if label:
        figure.supxlabel(f"{label}\n{text}", fontsize="small")
    else:
        figure.suptitle(text, fontsize="small")


def _drawn(measurement: Measurement) -> dict[str, Figure]:
    table = _at_smallest_dose(measurement.tables["spectra"])
    values = _at_smallest_dose(measurement.tables["spectra_values"])
    found = {
        "spectra_effects": _effects(table),
        "spectra_q": _q(table),
        "spectra_groups": _groups(table),
        "spectra_controls": _controls(table),
        "spectra_roles": _roles(table),
    }
    if values.is_empty():
        names = ("spectra_auc", "spectra_texts", "spectra_coverage")
        return found | {name: _note(_NOT_CHOSEN) for name in names}
    return found | {
        "spectra_auc": _auc(measurement.metrics, table),
        "spectra_texts": _texts(_of_texts(values, measurement.tables["spectra_texts"])),
        "spectra_coverage": _coverage(_at_smallest_dose(measurement.tables["spectra_coverage"])),
    }


def _effects(table: pl.DataFrame) -> Figure:
    own = _with_mean(table.filter(arm="model"))
    limit = max(_LEAST_LIMIT, float(own["d_paired"].abs().max() or 0))  # type: ignore[arg-type]

    def draw(axes: Axes, corruption: str, metric: str) -> object:
        rows = own.filter(corruption=corruption, metric=metric)
        return effect_panels.draw_effect_map(axes, rows, limit)

    label = "d of pairs (valid - invalid)\ndot: q < 0.05"
    return _maps(table, draw, label)


def _q(table: pl.DataFrame) -> Figure:
    own = _with_mean(table.filter(arm="model"))

    def draw(axes: Axes, corruption: str, metric: str) -> object:
        return effect_panels.draw_q_map(axes, own.filter(corruption=corruption, metric=metric))

    return _maps(table, draw, "q (Mann-Whitney)\ndot: q < 0.05")


def _maps(table: pl.DataFrame, draw: Draw, label: str) -> Figure:
    """A map of layers by heads for each corruption and metric, with one colour bar."""
    metrics = _metrics(table)
    figure, panels = _panels(table, metrics, width=1.35, height=1.3)
    image = None
    for axes, corruption, metric in panels:
        image = draw(axes, corruption, metric)
    figure.supxlabel("head", fontsize="small")
    figure.supylabel("layer", fontsize="small")
    bar = figure.colorbar(image, ax=[axes for axes, *_ in panels], pad=0.01)  # type: ignore[arg-type]
    bar.set_label(label, fontsize="x-small")
    bar.ax.tick_params(labelsize="x-small")
    return figure


def _groups(table: pl.DataFrame) -> Figure:
    own = _mean_graphs(table.filter(arm="model"))
    figure, panels = _panels(table, _metrics(table)[:_N_CURVES], width=2.6, height=2.1)
    for axes, corruption, metric in panels:
        rows = own.filter(corruption=corruption, metric=metric)
        effect_panels.draw_groups_by_layer(axes, rows)
    return _finished(figure, panels, "layer", "mean over texts")


def _controls(table: pl.DataFrame) -> Figure:
    own = _with_mean(table)
    figure, panels = _panels(table, _metrics(table)[:_N_CURVES], width=2.6, height=2.1, sharey=True)
    for axes, corruption, metric in panels:
        rows = own.filter(corruption=corruption, metric=metric)
        effect_panels.draw_effects_by_layer(axes, rows)
    return _finished(figure, panels, "layer", "d (valid - invalid)")


def _roles(table: pl.DataFrame) -> Figure:
    """Rank correlations over heads, on valid texts of the first corruption."""
    own = table.filter(arm="model", corruption=table["corruption"][0])
    heads = own.filter(pl.col("head") >= 0)
    rows = (heads if len(heads) else own).with_columns(mean="mean_valid")
    metrics = _metrics(table)
    figure = Figure(figsize=(6.5, 1.6 + 0.32 * len(metrics)), layout="constrained")
    axes = figure.subplots()
    values = effect_panels.role_correlations(rows, metrics, COMPANIONS)
    image = effect_panels.draw_correlations(axes, values, metrics, COMPANIONS)
    n = rows.select("layer", "head").n_unique()
    what = "heads" if len(heads) else "layers"
    axes.set_title(f"rank correlation with entropy and masses, over {n} {what}", fontsize="medium")
    figure.colorbar(image, ax=axes, label="rho")
    return figure


def _auc(metrics: Sequence[Metric], table: pl.DataFrame) -> Figure:
    doses = dict(table.select("corruption", "n_errors").unique(maintain_order=True).iter_rows())
    names = [*_metrics(table), ANY]
    size = (1.8 + 2.6 * len(doses), 1.2 + 0.21 * (len(names) + len(_COVARIATES)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(doses), squeeze=False, sharey=True)[0]
    for axes, (corruption, dose) in zip(panels, doses.items(), strict=True):
        whole = {"corruption": corruption, "n_errors": dose}
        spectral = _by(metrics, "spectra/auc", "metric", whole)
        controls = _by(metrics, "spectra/baseline_auc", "covariate", whole)
        effect_panels.draw_auc_bars(
            axes,
            {name: spectral.get(name) for name in names},
            {name: controls.get(name) for name in _COVARIATES},
            {arm: _by(metrics, "spectra/auc", "metric", whole | {"arm": arm}) for arm in _ARMS},
        )
        axes.set_title(shown(corruption), fontsize="medium")
    figure.supxlabel("AUC on held-out texts", fontsize="small")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize="small")
    return figure


def _by(metrics: Sequence[Metric], name: str, key: str, dims: dict[str, Dim]) -> dict[str, float]:
    """Values of a metric by one of its dimensions, where the others are these."""
    own = [metric for metric in metrics if metric.name == name and key in metric.dims]
    return {
        str(metric.dims[key]): metric.value
        for metric in own
        if metric.dims == dims | {key: metric.dims[key]}
    }


def _texts(rows: pl.DataFrame) -> Figure:
    """Densities at the chosen layer and head, and below them values against the length."""
    metrics = _metrics(rows)
    rows_of_panels = []
    for corruption in rows["corruption"].unique(maintain_order=True):
        own = rows.filter(corruption=corruption)
        rows_of_panels.append((corruption, text_panels.draw_densities))
        if own["n_tokens"].n_unique() > 1:
            rows_of_panels.append((corruption, text_panels.draw_lengths))
    figure = Figure(
        figsize=(0.8 + 1.9 * len(metrics), 0.8 + 1.9 * len(rows_of_panels)), layout="constrained"
    )
    panels = figure.subplots(len(rows_of_panels), len(metrics), squeeze=False)
    for line, (corruption, draw) in zip(panels, rows_of_panels, strict=True):
        for axes, metric in zip(line, metrics, strict=True):
            own = rows.filter(corruption=corruption, metric=metric)
            if own.is_empty():
                axes.set_axis_off()
                continue
            draw(axes, own)
            axes.set_title(f"{shown(metric)}\n{_place(own)}", fontsize="small")
            is_length = draw is text_panels.draw_lengths
            axes.set_xlabel("tokens" if is_length else "", fontsize="x-small")
        line[0].set_ylabel(shown(corruption))
    lines = {line.get_label(): line for axes in panels.flat for line in axes.lines}
    labels = [label for label in _LABELS if label in lines]
    handles = [lines[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    return figure


def _place(rows: pl.DataFrame) -> str:
    layer, head = rows.select("layer", "head").row(0)
    return f"layer {layer}, " + ("mean of heads" if head < 0 else f"head {head}")


def _coverage(rows: pl.DataFrame) -> Figure:
    corruptions = rows["corruption"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(2.2 + 2.8 * len(corruptions), 3.2), layout="constrained")
    panels = figure.subplots(1, len(corruptions), squeeze=False, sharey=True)[0]
    for axes, corruption in zip(panels, corruptions, strict=True):
        text_panels.draw_coverage(axes, rows.filter(corruption=corruption))
        axes.set_title(shown(corruption), fontsize="medium")
    panels[0].set_ylabel("fraction of valid texts among the accepted", fontsize="small")
    figure.supxlabel("coverage: fraction of texts accepted", fontsize="small")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize="small")
    return figure


def _note(text: str) -> Figure:
    figure = Figure(figsize=(6.5, 0.8), layout="constrained")
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def _panels(
    table: pl.DataFrame,
    metrics: Sequence[str],
    *,
    width: float,
    height: float,
    sharey: bool = False,
) -> tuple[Figure, list[tuple[Axes, str, str]]]:
    """A figure with a row of panels per corruption and a column per metric."""
    corruptions = table["corruption"].unique(maintain_order=True).to_list()
    size = (1.4 + width * len(metrics), 0.9 + height * len(corruptions))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(corruptions), len(metrics), squeeze=False, sharey=sharey)
    panels = []
    for i, corruption in enumerate(corruptions):
        for axes, metric in zip(grid[i], metrics, strict=True):
            panels.append((axes, corruption, metric))
            if i == 0:
                axes.set_title(in_two_lines(metric), fontsize="small")
        if len(corruptions) > 1:
            grid[i][0].set_ylabel(shown(corruption), fontsize="small")
    return figure, panels


def _finished(
    figure: Figure, panels: list[tuple[Axes, str, str]], xlabel: str, ylabel: str
) -> Figure:
    figure.supxlabel(xlabel, fontsize="small")
    figure.supylabel(ylabel, fontsize="small")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize="small")
    return figure


def _at_smallest_dose(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("n_errors") == pl.col("n_errors").min().over("corruption"))


def _metrics(rows: pl.DataFrame) -> list[str]:
    """Spectral metrics of whole graphs, the paper's first."""
    names = rows["metric"].unique(maintain_order=True).to_list()
    own = [name for name in names if "/" not in name and name not in COMPANIONS]
    return [
        *(name for name in _FIRST if name in own),
        *(name for name in own if name not in _FIRST),
    ]


def _with_mean(table: pl.DataFrame) -> pl.DataFrame:
    """The rows of whole graphs, with those of the mean graph under the name of its metric."""
    return table.with_columns(pl.col("metric").str.strip_suffix(_MEAN))


def _mean_graphs(table: pl.DataFrame) -> pl.DataFrame:
    return _with_mean(table).filter(head=-1)


def _of_texts(values: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """The values with label and length of each text."""
    comparison = pl.format("{} {}", "corruption", "n_errors")
    own = texts.select("comparison", "text", "is_valid", "n_tokens")
    return values.with_columns(comparison=comparison).join(
        own, on=["comparison", "text"], how="left", maintain_order="left"
    )
