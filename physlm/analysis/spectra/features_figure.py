"""The figure of spectral features as classifiers: the area under the ROC curve of each set."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.spectra.feature_metrics import CONTROLS, SETS, TOGETHER
from physlm.measurement import Measurement, Metric

_LABELS = {
    "free_energy": "free energy",
    "lap_eigvals": "LapEigvals",
    "four_metrics": "four metrics",
}
_ARMS = {"model": "C0", "untrained": "0.55", "shuffled": "0.8", "planted": "C1"}
_INTERVAL = 1.96  # standard errors


def draw_features(measurement: Measurement) -> Figure:
    """One panel for each corruption and number of errors; bars are 95% intervals over texts."""
    areas = [metric for metric in measurement.metrics if metric.name == "features/auc"]
    texts = list(dict.fromkeys((m.dims["corruption"], m.dims["n_errors"]) for m in areas))
    figure = Figure(figsize=(5.5 * len(texts), 4), layout="constrained")
    panels = figure.subplots(1, len(texts), squeeze=False, sharey=True)[0]
    for axes, (corruption, n_errors) in zip(panels, texts, strict=True):
        own = [
            m for m in areas if (m.dims["corruption"], m.dims["n_errors"]) == (corruption, n_errors)
        ]
        _draw(axes, own)
        axes.set_title(f"{str(corruption).replace('_', ' ')}, errors: {n_errors}")
    panels[0].legend(fontsize="small", loc="lower left")
    return figure


def _draw(axes: Axes, areas: list[Metric]) -> None:
    rows = {
        **{name: _LABELS[name] for name in SETS},
        CONTROLS: "length, likelihood",
        **{name + TOGETHER: f"{_LABELS[name]} with these" for name in SETS},
    }
    places = {name: len(rows) - 1 - i for i, name in enumerate(rows)}
    for shift, (arm, colour) in enumerate(_ARMS.items()):
        own = [metric for metric in areas if metric.dims.get("arm", "model") == arm]
        axes.errorbar(
            [metric.value for metric in own],
            [places[str(metric.dims["features"])] + 0.15 * (1.5 - shift) for metric in own],
            xerr=[_INTERVAL * (metric.stderr or 0.0) for metric in own],
            fmt="o",
            color=colour,
            markersize=4,
            label=arm,
        )
    axes.axvline(0.5, color="0.7", linestyle=":", linewidth=1)
    axes.set_yticks(list(places.values()), list(rows.values()))
    axes.set(xlabel="area under the ROC curve, held-out texts")
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(left=min(0.4, axes.get_xlim()[0]))
