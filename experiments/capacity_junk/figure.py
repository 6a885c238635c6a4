"""Capacity for target people among several kinds of junk."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

KNOWN = "capacity/name_value_bits_per_parameter{split=train}"
FRACTION, N_PEOPLE, KIND = "data.junk_fraction", "data.n_junk_people", "data.junk_kind"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    is_fresh = (pl.col(N_PEOPLE) == 1_000_000) & (pl.col(KIND) == "biographies")
    most = pl.col(FRACTION) == 0.875
    kinds = {
        "none": pl.col(FRACTION) == 0,
        "1/20_new people": is_fresh & (pl.col(FRACTION) == 0.05),
        "1/2_new people": is_fresh & (pl.col(FRACTION) == 0.5),
        "7/8_new people": is_fresh & most,
        "7/8_the same_20 people": most & (pl.col(N_PEOPLE) == 20),
        "7/8_random_tokens": most & (pl.col(KIND) == "random"),
        "7/8_shuffled_biographies": most & (pl.col(KIND) == "shuffled"),
    }
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    groups = {name: results.filter(chosen).values(KNOWN) for name, chosen in kinds.items()}
    draw_seeds(axes, groups, "bits known of target people,\nper parameter")
    axes.set(
        xlabel="junk, as a fraction of all tokens", title="after 100 exposures of target people"
    )
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
