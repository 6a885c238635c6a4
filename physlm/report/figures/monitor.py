"""Figure of a live monitor: errors found, alarms on right texts, and the cost of watching."""

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.results import Results

MONITORS = {"spectra": "spectra", "log-probability": "log_probability", "untrained": "untrained"}
SHARES = {
    "detected": "wrong texts with an alarm after the error",
    "by_chance": "the same place of the right text",
    "false_alarms": "right texts with any alarm",
}
COSTS = {
    name: f"monitor/time_ratio{{metric={name}}}" for name in ("energy", "smoothness", "fiedler")
}


def draw_monitor_experiment(results: Results) -> Figure:
    """Fractions of texts with an alarm, by monitor, and the cost of three metrics."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for axes, (name, title) in zip(panels, SHARES.items(), strict=False):
        metrics = {
            label: f"monitor/{name}{{monitor={monitor}}}" for label, monitor in MONITORS.items()
        }
        draw_bars(axes, results, metrics, "fraction of texts")
        axes.set(title=title, xlim=(0, 1))
    draw_bars(panels[3], results, COSTS, "time over that of decoding alone")
    panels[3].set(title="cost of watching")
    return figure
