"""Effects of spectral metrics before and after heads are ablated."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

ABLATED = {
    "none": "ablated=none",
    "induction heads": "ablated=induction,column=same",
    "previous-token heads": "ablated=previous_token,column=same",
    "random heads": "ablated=random,column=same",
}
METRICS = ("hfer", "smoothness")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    panels = figure.subplots(2, len(METRICS), sharex="col")
    for row, world in zip(panels, ("sums", "brackets"), strict=True):
        of_world = results.filter(init_from=f"+experiment={world}")
        for axes, metric in zip(row, METRICS, strict=True):
            bars = {
                label: f"ablation/effect{{{ablated},metric={metric}}}"
                for label, ablated in ABLATED.items()
            }
            draw_bars(axes, of_world, bars, "d in pairs, in its direction")
            axes.set(title=f"{world}: {metric.replace('_', ' ')}")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
