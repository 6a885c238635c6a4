"""The committed runs that the capacity law is fitted to."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from physlm.report.planner.fitting import Configuration
from physlm.report.results import Results

NAME, VALUE = "capacity/name_bits{split=train}", "capacity/value_bits{split=train}"
_MOST = "capacity/maximum_bits_per_parameter"

# Bits of the diversity sets, the same in all of these worlds: 6 sets of 256 out of 1024 strings.
# The law is about the other bits of a world.
_SET_BITS = 6 * 256 * math.log2(1024 / 256)

# Fewer exposures store next to nothing.
_FEWEST_EXPOSURES = 30

# In worlds of more than 4 bits per parameter the smallest model stores less than its capacity,
# unlike larger models.
_FEWEST_PARAMETERS_PER_BIT = 0.25

# Plain models without junk, trained by one recipe. The runs of experiments/planner, which check the
# law's predictions, are not among them.
FITTED: Mapping[str, pl.Expr] = {
    "capacity": pl.lit(value=True),
    "capacity_exposures": pl.col("experiment") != "capacity_exposures",
    "capacity_people": pl.lit(value=True),
    "capacity_saturation": pl.lit(value=True),
    "capacity_seeds": pl.lit(value=True),
    "capacity_junk": pl.col("data.junk_fraction") == 0,
    "capacity_moe": (pl.col("model.n_experts") == 1) & (pl.col("optim.learning_rate") == 6e-3),
}

_SIZES = ("bits", "parameters", "exposures")
_COLUMNS = ("run_id", *_SIZES, "steps", "fraction")


def plain_runs(folder: Path) -> pl.DataFrame:
    """One row for each run that the law is fitted to: its sizes, steps and stored fraction.

    Args:
        folder: Of the experiments.

    Raises:
        InputError: If results are missing, as in an installed package.
    """
    tables = [
        measured(folder / name).filter(which).select(_COLUMNS) for name, which in FITTED.items()
    ]
    runs = pl.concat(tables).unique("run_id", keep="first", maintain_order=True)
    per_bit = pl.col("parameters") / pl.col("bits")
    return runs.filter(
        pl.col("exposures") >= _FEWEST_EXPOSURES, per_bit >= _FEWEST_PARAMETERS_PER_BIT
    )


def measured(folder: Path) -> pl.DataFrame:
    """The runs of an experiment, with the bits of their world and the fraction that is stored.

    Raises:
        InputError: If it has no results.
    """
    table = Results.read(folder).table(NAME, VALUE, _MOST)
    bits = pl.col(_MOST) * pl.col("parameters.total") - _SET_BITS
    return table.with_columns(
        bits=bits.round(3),  # equal for all seeds of a configuration
        fraction=(pl.col(NAME) + pl.col(VALUE)) / bits,
        parameters=pl.col("parameters.total").cast(pl.Float64),
    )


def configurations(runs: pl.DataFrame) -> list[Configuration]:
    """The configurations of some runs, which differ within one in their seed only."""
    groups = runs.group_by(_SIZES, maintain_order=True).agg("fraction")
    return [
        Configuration(bits, parameters, exposures, tuple(fractions))
        for bits, parameters, exposures, fractions in groups.iter_rows()
    ]


def sizes(runs: pl.DataFrame) -> tuple[float, float, float]:
    """Bits, parameters and exposures of runs of one configuration."""
    bits, parameters, exposures = runs.select(_SIZES).row(0)
    return bits, parameters, exposures


def by_exposures(runs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs of each number of exposures, fewest first."""
    return runs.sort("exposures").partition_by("exposures", maintain_order=True)


def fractions(runs: pl.DataFrame) -> np.ndarray:
    """The stored fraction of each run, in the order of seeds."""
    return runs.sort("seed")["fraction"].to_numpy()
