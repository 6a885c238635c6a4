"""Parity, ranking and inverse search at workstation scale: Part 3.2, results 2 to 4."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.grouped_bars import draw_grouped_bars
from physlm.report.figures.manipulation import draw_tasks
from physlm.report.results import Results

HINTED = ("birth_month_mod_2", "birth_month_ranking")
NAME = "manipulation/accuracy{{split={},task=full_name_from_all}}"
TEXTS = {"name first": ("multi5_permute", "C0"), "name last": ("multi5_permute_reverse6", "C1")}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    hinted, inverse = figure.subplots(1, 2, width_ratios=(3, 2))
    is_inverse = pl.col("experiment") == "manipulation_inverse"
    draw_tasks(hinted, results.filter(~is_inverse), HINTED, split="held_out_people")
    names = [NAME.format(split) for split in ("train_people", "held_out_people")]
    bars = {
        label: (results.filter(init_from=f"+experiment=people +augmentation={text}"), names, color)
        for label, (text, color) in TEXTS.items()
    }
    draw_grouped_bars(inverse, bars, ["training people", "held-out people"])
    inverse.set(title="full name from all attributes", ylim=(0, 1.05))
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
