"""Metrics of classes of predictions, and of differences between them."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.depth.depth_means import depth_means, with_depth
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.figures import draw_rank_curve
from physlm.analysis.depth.lens_scorer import pairs_of
from physlm.analysis.depth.matching import FEWEST, MatchedDifference, matched_difference
from physlm.analysis.depth.metrics import metrics_of
from physlm.analysis.depth.rank_curve import rank_curve
from physlm.data.annotation import ENTROPY
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.depth_classes import DepthClassesConfig

_PREFIX = "depth/class"
_DEPTHS = ("onset", "settled")
_MATCHED = ("final_probability", ENTROPY)


def measured_classes(
    config: "DepthClassesConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``depth_classes``.

    Raises:
        InputError: If the tokens of this world have no such tag, or a named class does not occur.
    """
    sample = config.sample(model, corpus)
    if config.tag not in sample.positions.tags:
        known = sorted(sample.positions.tags)
        raise InputError(
            f"eval.depth_classes.tag={config.tag}; this world's tokens have "
            f"{', '.join(known) if known else 'no classes'}"
        )
    _, rows = config.traced(model, sample)
    rows = rows.with_columns(pl.col(config.tag).cast(pl.String).alias("class"))
    pairs = pairs_of(config.pairs)
    for name in dict.fromkeys(name for pair in pairs or () for name in pair):
        if name not in rows["class"]:
            classes = ", ".join(rows["class"].unique().sort())
            raise InputError(
                f"eval.depth_classes.pairs: {name} is not a class; use one of {classes}"
            )
    metrics = _class_metrics(rows, pairs)
    kept = rows.select("document", "class", "state", "final_rank", "final")
    return Measurement(tuple(metrics), tables={"class_predictions": kept})


def _class_metrics(rows: pl.DataFrame, pairs: Sequence[tuple[str, ...]] | None) -> list[Metric]:
    """Metrics of all predictions, and of the right ones alone, as published.

    The class is that of the true token; the onset of a wrong prediction may be that of a token of
    another class.
    """
    right = rows.filter(pl.col("final") == pl.col("target"))
    found = [*class_metrics(rows, _PREFIX), *differences(rows, _PREFIX, pairs)]
    if right.is_empty():
        return found
    found += class_metrics(right, _PREFIX, predictions="right")
    counts = dict(right["class"].value_counts().iter_rows())
    enough = [p for p in pairs or _every_pair(right, "class") if _are_many(counts, p)]
    return found + differences(right, _PREFIX, enough, predictions="right")


def _are_many(counts: Mapping[str, int], pair: Sequence[str]) -> bool:
    return all(counts.get(name, 0) >= FEWEST for name in pair)


def draw_classes(measurement: Measurement) -> dict[str, Figure]:
    """The figures of the scorer ``depth_classes``, from its measurement alone."""
    rows = measurement.tables["class_predictions"]
    return {"class_ranks": draw_rank_curve(rank_curve(rows, by=["class"]), "class")}


def class_metrics(
    rows: pl.DataFrame, prefix: str, by: Sequence[str] = ("class",), **dims: Dim
) -> list[Metric]:
    """Depth, final probability and accuracy of each class.

    Args:
        rows: Rows of ``trace``, with the columns of ``by``.
        prefix: Prefix of the metrics' names.
        by: Columns of the classes, which become dimensions.
        dims: Other dimensions.
    """
    names = {
        "onset": (f"{prefix}/onset", "blocks"),
        "settled": (f"{prefix}/settled", "blocks"),
        "flickers": (f"{prefix}/flicker_fraction", "fraction"),
    }
    certain = rows.with_columns((pl.col("final") == pl.col("target")).alias("accuracy"))
    quantities = ("final_probability", "accuracy")
    return [
        *metrics_of(depth_means(rows, by), names, by, **dims),
        *metrics_of(
            document_means(certain, quantities, by),
            {name: (f"{prefix}/{name}", "fraction") for name in quantities},
            by,
            **dims,
        ),
    ]


def differences(
    rows: pl.DataFrame,
    prefix: str,
    pairs: Iterable[tuple[str, ...]] | None,
    column: str = "class",
    depths: Sequence[str] = _DEPTHS,
    **more: Dim,
) -> list[Metric]:
    """Differences of onset and settled between two classes, as they are and at equal certainty.

    - ``PREFIX/difference``: first class minus second, among predictions that are ``matched`` on
      nothing, on the final probability, or on the true entropy.
    - ``PREFIX/permuted_difference``: the mean when classes are permuted among matched predictions,
      with its standard deviation as error; 0 up to chance.
    - ``PREFIX/imbalance``: how much the matched column still differs between them within bins of
      equal values, before slopes in each bin remove that.

    Args:
        rows: Rows of ``trace``, with the column of classes.
        prefix: Prefix of the metrics' names.
        pairs: The classes to compare; None for every pair with enough predictions.
        column: Column of the classes.
        depths: Columns to compare, of ``onset`` and ``settled``.
        more: Other dimensions of all metrics.

    Raises:
        InputError: If a named class has too few predictions.
    """
    deep = with_depth(rows).with_columns(pl.lit(1.0).alias("nothing"))
    chosen = list(pairs) if pairs is not None else _every_pair(rows, column)
    found = []
    for first, second in chosen:
        both = deep.filter(pl.col(column).is_in([first, second]))
        for on in ("nothing", *_MATCHED):
            if on not in both.columns or (on == ENTROPY and not _are_known(both, column)):
                continue
            for depth in depths:
                dims = {"first": first, "second": second, "matched": on, "depth": depth, **more}
                try:
                    difference = matched_difference(both, depth, column, (first, second), on)
                except InputError:
                    if on == "nothing":
                        raise
                    continue  # the two classes are nowhere equally certain
                found += _difference_metrics(difference, prefix, dims)
    return found


def _every_pair(rows: pl.DataFrame, column: str) -> list[tuple[str, str]]:
    counts = rows.group_by(column).len().filter(pl.col("len") >= FEWEST)
    return list(itertools.combinations(counts[column].drop_nulls().sort().to_list(), 2))


def _are_known(rows: pl.DataFrame, column: str) -> bool:
    """Whether every class has predictions of known true entropy."""
    counts = rows.group_by(column).agg(pl.col(ENTROPY).count().alias("n"))
    return bool((counts["n"] >= FEWEST).all())


def _difference_metrics(
    difference: MatchedDifference, prefix: str, dims: dict[str, Dim]
) -> list[Metric]:
    n = sum(difference.n)
    permuted = difference.permuted
    return [
        Metric(
            name=f"{prefix}/difference",
            value=difference.value,
            unit="blocks",
            n=n,
            stderr=difference.stderr,
            dims=dims,
        ),
        Metric(
            name=f"{prefix}/permuted_difference",
            value=float(permuted.mean()),
            unit="blocks",
            n=n,
            stderr=float(permuted.std(ddof=1)),
            dims=dims,
        ),
        Metric(name=f"{prefix}/imbalance", value=difference.imbalance, unit="", n=n, dims=dims),
    ]
