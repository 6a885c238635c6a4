"""Metrics of frequent and rare tokens: early guesses, and how often they are given up."""

import math

import polars as pl

from physlm.analysis.depth.bucket_fractions import bucket_fractions
from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.flips import flips
from physlm.analysis.depth.metrics import metrics_of
from physlm.measurement import Metric

_FRACTIONS = {
    "top1_fraction": ("depth/frequency/top1_fraction", "fraction"),
    "mass": ("depth/frequency/mass", "fraction"),
}


def frequency_metrics(rows: pl.DataFrame, buckets: Buckets, lens: str) -> list[Metric]:
    """Guesses and masses by bucket and state, and how they differ from those at the end.

    - ``depth/frequency/top1_fraction`` and ``mass``: of each bucket at each state.
    - ``depth/frequency/early_excess``: top-1 fraction at state 1 minus that at state L.
    - ``depth/frequency/largest_mass_change``: largest distance of the mass at any state from that
      at state L.

    Args:
        rows: Rows of ``trace`` with these buckets.
        buckets: Groups of tokens.
        lens: Name of the lens.
    """
    fractions = bucket_fractions(rows, buckets)
    return [
        *metrics_of(fractions, _FRACTIONS, ["bucket", "state"], lens=lens),
        *_early_excess(rows, buckets, lens),
        *_mass_changes(fractions, lens),
    ]


def flip_metrics(rows: pl.DataFrame, buckets: Buckets, lens: str) -> list[Metric]:
    """How often each state's guesses are given up, by bucket, and how often independent ones are.

    - ``depth/flips/fraction``, ``expected`` and ``excess_agreement``: see ``flips``.
    - ``depth/flips/rare_minus_frequent``: at state ceil(L / 4), the flips of the rarest bucket
      minus those of the most frequent one.

    Args:
        rows: Rows of ``trace``.
        buckets: Groups of tokens.
        lens: Name of the lens.
    """
    found = flips(rows, buckets)
    metrics = []
    for row in found.iter_rows(named=True):
        dims = {"bucket": row["bucket"], "state": row["state"], "lens": lens}
        for name, value, stderr in (
            ("fraction", row["value"], row["stderr"]),
            ("expected", row["expected"], None),
            ("excess_agreement", row["excess_agreement"], row["excess_stderr"]),
        ):
            if value is not None:
                metrics.append(_flip_metric(name, value, stderr, row["n"], dims))
    return metrics + _rare_minus_frequent(found, buckets, rows["state"][0].to_list(), lens)


def _early_excess(rows: pl.DataFrame, buckets: Buckets, lens: str) -> list[Metric]:
    """How much more often each bucket is guessed at state 1 than at state L."""
    states = rows["state"][0].to_list()
    if 1 not in states or states[-1] == 1:
        return []
    guesses = rows["top1"].to_numpy()
    early = buckets.of(pl.Series(guesses[:, states.index(1)]))
    final = buckets.of(rows["final"])
    excess = {
        name: (early == name).cast(pl.Int32) - (final == name).cast(pl.Int32)
        for name in buckets.names
    }
    means = document_means(rows.select("document").with_columns(**excess), buckets.names)
    return [
        metric
        for name in buckets.names
        for metric in metrics_of(
            means, {name: ("depth/frequency/early_excess", "fraction")}, bucket=name, lens=lens
        )
    ]


def _mass_changes(fractions: pl.DataFrame, lens: str) -> list[Metric]:
    """Largest change of each bucket's mass from any state to state L."""
    found = []
    for (bucket,), own in fractions.filter(quantity="mass").group_by("bucket", maintain_order=True):
        values = own.sort("state")["value"].to_numpy()
        found.append(
            Metric(
                name="depth/frequency/largest_mass_change",
                value=abs(values - values[-1]).max(),
                unit="fraction",
                n=int(own["n"].to_numpy().max()),
                dims={"bucket": str(bucket), "lens": lens},
            )
        )
    return found


def _rare_minus_frequent(
    found: pl.DataFrame, buckets: Buckets, states: list[int], lens: str
) -> list[Metric]:
    """The difference of flips at state ceil(L / 4), if both buckets are guessed there."""
    at = found.filter(pl.col("state") == math.ceil(states[-1] / 4))
    ends = [at.filter(pl.col("bucket") == name) for name in (buckets.names[-1], buckets.names[0])]
    if any(len(own) == 0 for own in ends):
        return []
    rare, frequent = (own.row(0, named=True) for own in ends)
    errors = [rare["stderr"], frequent["stderr"]]
    stderr = None if None in errors else math.hypot(*errors)
    n = min(rare["n"], frequent["n"])
    difference = rare["value"] - frequent["value"]
    return [_flip_metric("rare_minus_frequent", difference, stderr, n, {"lens": lens})]


def _flip_metric(
    name: str, value: float, stderr: float | None, n: int, dims: dict[str, str | int]
) -> Metric:
    return Metric(
        name=f"depth/flips/{name}", value=value, unit="fraction", n=n, stderr=stderr, dims=dims
    )
