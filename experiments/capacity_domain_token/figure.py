"""Capacity for target people among junk, with and without domain tokens."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

KNOWN = "capacity/name_value_bits_per_parameter{split=train}"


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    has_target, has_junk = (pl.col(f"data.{d}_token").is_not_null() for d in ("domain", "junk"))
    is_clean = pl.col("data.junk_fraction") == 0
    kinds = {
        "no junk": is_clean,
        "junk": ~is_clean & ~has_target,
        "junk, token_before target_documents": ~is_clean & has_target & ~has_junk,
        "junk, tokens_before both": ~is_clean & has_target & has_junk,
    }
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(4, 2, 1))
    for axes, n in zip(panels, (100, 300, 600), strict=True):
        rows = results.table(KNOWN).filter(pl.col("data.exposures") == n)
        found = {name: rows.filter(chosen)[KNOWN] for name, chosen in kinds.items()}
        groups = {name: values for name, values in found.items() if len(values)}
        draw_seeds(axes, groups, "")
        axes.set(title=f"{n} exposures")
    panels[0].set_ylabel("bits about target people\nper parameter")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
