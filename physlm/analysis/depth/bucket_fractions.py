"""How much of the predictions at each state falls on frequent and on rare tokens."""

from collections.abc import Sequence

import polars as pl

from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.depth_means import by_state
from physlm.analysis.depth.document_means import document_means, require_columns


def bucket_fractions(rows: pl.DataFrame, buckets: Buckets, by: Sequence[str] = ()) -> pl.DataFrame:
    """Fraction of top-1 tokens in each bucket beside the bucket's probability, by state.

    Quantities are ``top1_fraction`` and ``mass``; see ``document_means``. ``corpus_fraction`` is
    the bucket's fraction of the corpus. A calibrated lens that knows nothing of the context has the
    mass of the corpus and always the same top-1 token, so ``top1_fraction`` alone says little.

    Args:
        rows: Rows of ``trace`` with these buckets.
        buckets: Groups of tokens.
        by: Columns that define the groups of predictions.

    Raises:
        InputError: If the rows were traced without these buckets, or with another vocabulary.
    """
    require_columns(rows, [f"mass/{name}" for name in buckets.names])
    every = by_state(rows)
    bucket = buckets.of(every["top1"])
    parts = [
        document_means(
            every.with_columns(
                (bucket == name).alias("top1_fraction"), pl.col(f"mass/{name}").alias("mass")
            ),
            ("top1_fraction", "mass"),
            [*by, "state"],
        ).with_columns(pl.lit(name).alias("bucket"), pl.lit(fraction).alias("corpus_fraction"))
        for name, fraction in zip(buckets.names, buckets.corpus_fraction.tolist(), strict=True)
    ]
    return pl.concat(parts)
