"""How often the top-1 token of a state is not the final one, and how often by chance."""

from collections.abc import Sequence

import polars as pl

from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.depth_means import by_state
from physlm.analysis.depth.document_means import document_means

ALL = "all"


def flips(rows: pl.DataFrame, buckets: Buckets, by: Sequence[str] = ()) -> pl.DataFrame:
    """Flip rate of the predictions whose top-1 token is in a bucket, by state and bucket.

    - ``value``, ``stderr``, ``n_documents``, ``n``: fraction of these predictions whose final token
      is another one; see ``document_means``.
    - ``expected``: the same if top-1 and final tokens were independent, 1 - sum over tokens v of
      P(top-1 = v | bucket) P(final = v). A flip rate near it means that the state does not know
      anything yet, rather than that its guess is refined.
    - ``excess_agreement``: 1 - value / expected; 0 for independence, and null if no flip can be
      expected. Its standard error, ``excess_stderr``, takes the expected rate as exact.

    Probabilities give every document the same weight, like the rates. Bucket ``all`` has all
    predictions.

    Args:
        rows: Rows of ``trace``.
        buckets: Groups of tokens.
        by: Columns that define the groups of predictions.

    Raises:
        InputError: If the buckets belong to another vocabulary.
    """
    every = by_state(rows.select("document", *by, "final", "state", "top1"))
    every = every.with_columns((pl.col("top1") != pl.col("final")).alias("flips"))
    in_bucket = every.with_columns(buckets.of(every["top1"]).alias("bucket"))
    every = pl.concat([every.with_columns(pl.lit(ALL).alias("bucket")), in_bucket])
    every = every.with_columns(pl.col("bucket").cast(pl.Enum([ALL, *buckets.names])))
    groups = [*by, "state", "bucket"]
    measured = document_means(every, ["flips"], groups).drop("quantity")
    expected = _expected(every, rows, groups, by)
    found = measured.join(expected, on=groups, how="left", maintain_order="left")
    is_possible = pl.col("expected") > 0
    return found.with_columns(
        pl.when(is_possible)
        .then(1 - pl.col("value") / pl.col("expected"))
        .alias("excess_agreement"),
        pl.when(is_possible).then(pl.col("stderr") / pl.col("expected")).alias("excess_stderr"),
    )


def _expected(
    every: pl.DataFrame, rows: pl.DataFrame, groups: list[str], by: Sequence[str]
) -> pl.DataFrame:
    """Flip rate of independent tokens in each group."""
    top1 = _probabilities(every, "top1", groups)
    final = _probabilities(rows, "final", by)
    shared = top1.join(final, on=[*by, "token"], how="left").with_columns(
        (pl.col("p_top1") * pl.col("p_final").fill_null(0.0)).alias("p")
    )
    return shared.group_by(groups).agg((1 - pl.col("p").sum()).alias("expected"))


def _probabilities(rows: pl.DataFrame, name: str, groups: Sequence[str]) -> pl.DataFrame:
    """Probability of each token in each group; documents have equal weights."""
    per_document = rows.group_by(*groups, "document", pl.col(name).alias("token")).len()
    n = pl.col("len").sum().over(*groups, "document")
    weighted = per_document.with_columns((pl.col("len") / n).alias("weight"))
    n_documents = pl.col("document").n_unique()
    n_documents = n_documents.over(*groups) if groups else n_documents
    return (
        weighted.with_columns((pl.col("weight") / n_documents).alias("weight"))
        .group_by(*groups, "token")
        .agg(pl.col("weight").sum().alias(f"p_{name}"))
    )
