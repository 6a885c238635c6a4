"""Questions about a minority whose company cities only follow from the employer."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.results import Results

ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "company_city")


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    questions = results.filter(experiment="two_hop")
    is_omitted = pl.col("init_from").str.contains("omits_company_city")
    omitted, stated = (questions.filter(which) for which in (is_omitted, ~is_omitted))

    def metrics(name: str) -> list[str]:
        return [f"qa/{name}{{attribute={a},split=held_out_people}}" for a in ATTRIBUTES]

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots()
    bars = {
        "company city stated": (stated, metrics("exact_match"), "C7"),
        "company city omitted": (omitted, metrics("exact_match"), "C0"),
        "most common answer": (omitted, metrics("chance"), "C1"),
    }
    draw_grouped_bars(axes, bars, [a.replace("_", "\n") for a in ATTRIBUTES])
    axes.set(ylabel="QA accuracy on the minority", ylim=(0, 1.05))
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
