"""Metrics of the tokens of facts."""

from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.depth.class_metrics import class_metrics, differences
from physlm.analysis.depth.figures import draw_rank_curve
from physlm.analysis.depth.matching import FEWEST
from physlm.analysis.depth.rank_curve import rank_curve
from physlm.data.annotation import LENGTH, POSITION
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.depth_facts import DepthFactsConfig

_PREFIX = "depth/facts"
_PLACES = ("length", "position")
FIRST, LATER = "first", "later"


def measured_facts(config: "DepthFactsConfig", model: LanguageModel, corpus: Corpus) -> Measurement:
    """The measurement of the scorer ``depth_facts``.

    Raises:
        InputError: If the world marks no tokens of facts, or all values are too long.
    """
    sample = config.sample(model, corpus)
    if POSITION not in sample.positions.tags:
        raise InputError(
            "eval.depth_facts measures tokens of facts, which this world does not mark; use a "
            "world of people or data=mquake"
        )
    _, rows = config.traced(model, sample)
    rows = rows.filter(pl.col(LENGTH).is_between(1, config.longest))
    if rows.is_empty():
        raise InputError(
            f"eval.depth_facts.longest={config.longest}; no value has so few tokens; raise it"
        )
    rows = (
        rows.drop("position")
        .rename({LENGTH: "length", POSITION: "position"})
        .with_columns(
            pl.when(pl.col("position") == 1)
            .then(pl.lit(FIRST))
            .otherwise(pl.lit(LATER))
            .alias("part")
        )
    )
    kept = rows.select("document", *_PLACES, "state", "final_rank", "final")
    return Measurement(tuple(_metrics(rows)), tables={"fact_predictions": kept})


def _metrics(rows: pl.DataFrame) -> list[Metric]:
    """By length and position, of all, right and wrong predictions; first against later tokens."""
    is_right = pl.col("final") == pl.col("target")
    found = class_metrics(rows, _PREFIX, _PLACES)
    for name, own in {"right": rows.filter(is_right), "wrong": rows.filter(~is_right)}.items():
        found += class_metrics(own, _PREFIX, _PLACES, predictions=name)
    several = rows.filter(pl.col("length") > 1)
    counts = several["part"].value_counts()["count"]
    if len(counts) < 2 or counts.to_numpy().min() < FEWEST:
        return found
    return found + differences(several, _PREFIX, [(FIRST, LATER)], "part")


def draw_facts(measurement: Measurement) -> dict[str, Figure]:
    """The figures of the scorer ``depth_facts``, from its measurement alone."""
    rows = measurement.tables["fact_predictions"]
    place = pl.format("{} of {}", pl.col("position"), pl.col("length")).alias("token")
    curve = rank_curve(rows.with_columns(place), by=["token"])
    return {"fact_ranks": draw_rank_curve(curve, "token")}
