"""Area under the ROC curve of classifiers that read sets of spectral features, in two worlds."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

WORLDS = {
    "sums": ("sums, a wrong result carried on", "intermediate"),
    "brackets": ("brackets, two exchanged", "swap"),
}
SETS = {"free_energy": "free energy", "lap_eigvals": "LapEigvals", "four_metrics": "four metrics"}
BESIDE = {
    "controls": "length, likelihood",
    **{f"{name}_and_controls": f"{label} with these" for name, label in SETS.items()},
}
ARMS = {"": "C0", "untrained": "0.55", "shuffled": "0.8", "planted": "C1"}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    panels = figure.subplots(1, len(WORLDS), sharey=True)
    for axes, (name, (title, corruption)) in zip(panels, WORLDS.items(), strict=True):
        own = results.filter(init_from=f"+experiment={name}", experiment="spectral_features")
        _draw_world(axes, own, corruption)
        axes.set_title(title)
    panels[0].legend(fontsize="small", loc="lower left")
    return figure


def _draw_world(axes: Axes, results: Results, corruption: str) -> None:
    """A dot for each run, and a line at their mean."""
    labels = {**SETS, **BESIDE}
    for row, features in enumerate(labels):
        for shift, (arm, colour) in enumerate(ARMS.items()):
            if arm and features not in SETS:
                continue
            dims = f"arm={arm}," * bool(arm)
            text = f"features/auc{{{dims}corruption={corruption},features={features},n_errors=1}}"
            values = results.values(text).to_numpy()
            place = row + 0.16 * (shift - 1.5)
            label = (arm or "model") if row == 0 else None
            axes.plot(values, [place] * len(values), "o", color=colour, markersize=4, label=label)
            axes.plot([values.mean()] * 2, [place - 0.07, place + 0.07], color=colour)
    axes.axvline(0.5, color="0.7", linestyle=":", linewidth=1)
    axes.set_yticks(range(len(labels)), list(labels.values()))
    axes.set(xlabel="area under the ROC curve, held-out texts", xlim=(0.38, 1.02), ylim=(6.6, -0.6))


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
