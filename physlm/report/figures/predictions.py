"""Predicted against measured values, with intervals, and the errors of the predictions."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.predicted import Prediction
from physlm.report.results import Results

_KINDS = {"without junk": "tab:blue", "among junk": "tab:orange", "with domain tokens": "tab:green"}


def draw_predictions(
    results: Results, metric: str, predictions: Mapping[str, Prediction]
) -> Figure:
    """Predictions with their 90% intervals against what was measured, and each error by run.

    Args:
        results: Of runs that were predicted, some of them among junk.
        metric: What was predicted.
        predictions: By run id.
    """
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    values, errors = figure.subplots(1, 2)
    rows = list(results.table(metric).iter_rows(named=True))
    measured = [row[metric] for row in rows]
    predicted = [predictions[row["run_id"]] for row in rows]
    kinds = [_kind(row) for row in rows]
    _draw_values(values, measured, predicted, kinds)
    _draw_errors(errors, [_label(row) for row in rows], measured, predicted, kinds)
    return figure


def _kind(row: Mapping[str, object]) -> str:
    if not row.get("data.junk_fraction"):
        return "without junk"
    return "with domain tokens" if row.get("data.domain_token") else "among junk"


def _label(row: Mapping[str, object]) -> str:
    """Exposures, size and junk of a run."""
    people = row.get("data.n_people") or row.get("data.target.n_people")
    junk = f", {row['data.junk_fraction']:g} junk" if row.get("data.junk_fraction") else ""
    return f"{row['exposures']:g} exposures, {people} people, width {row['model.d_model']}{junk}"


def _draw_values(
    axes: Axes, measured: Sequence[float], predicted: Sequence[Prediction], kinds: Sequence[str]
) -> None:
    for kind, colour in _KINDS.items():
        own = [i for i, one in enumerate(kinds) if one == kind]
        if not own:
            continue
        axes.errorbar(
            [measured[i] for i in own],
            [predicted[i].value for i in own],
            yerr=[
                [predicted[i].value - predicted[i].low for i in own],
                [predicted[i].high - predicted[i].value for i in own],
            ],
            fmt="o",
            capsize=3,
            color=colour,
            label=kind,
        )
    ends = [0.9 * min(*measured, *(p.low for p in predicted)), 1.1 * max(p.high for p in predicted)]
    axes.plot(ends, ends, color="black", linewidth=1, label="as measured")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="measured bits per parameter",
        ylabel="predicted bits per parameter, 90% intervals",
    )
    axes.legend(fontsize="small")


def _draw_errors(
    axes: Axes,
    labels: Sequence[str],
    measured: Sequence[float],
    predicted: Sequence[Prediction],
    kinds: Sequence[str],
) -> None:
    """Measured over predicted, beside the interval of the prediction."""
    places = range(len(labels))
    for i, (value, one, kind) in enumerate(zip(measured, predicted, kinds, strict=True)):
        axes.plot(
            [one.low / one.value - 1, one.high / one.value - 1],
            [i, i],
            color="lightgrey",
            linewidth=6,
        )
        axes.plot(value / one.value - 1, i, "o", color=_KINDS[kind])
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(list(places), labels, fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel("measured over predicted, less 1 (grey: 90% interval)")
