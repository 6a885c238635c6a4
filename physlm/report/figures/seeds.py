"""Groups of runs as bars: mean, standard error, and every seed."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes


def draw_seeds(axes: Axes, groups: Mapping[str, Sequence[float] | pl.Series], label: str) -> None:
    """One bar per group; underscores in names break lines."""
    for place, values in enumerate(groups.values()):
        runs = np.array(values)
        stderr = runs.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else None
        axes.bar(place, runs.mean(), yerr=stderr, capsize=4, color="tab:blue", alpha=0.5)
        axes.plot(np.full(len(runs), place), runs, "k.", alpha=0.5)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xticks(range(len(groups)), [name.replace("_", "\n") for name in groups])
    axes.tick_params(axis="x", labelsize="small")
    axes.set_ylabel(label)
