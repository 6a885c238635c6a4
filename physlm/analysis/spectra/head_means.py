"""Means over all heads of each layer, estimated from those that were measured."""

from collections.abc import Iterator, Mapping

import polars as pl
import torch

from physlm.analysis.spectra.comparison_metrics import dims_of
from physlm.analysis.spectra.head_sample import HeadSample, mean_over_heads
from physlm.measurement import Dim, Metric


def head_means(rows: pl.DataFrame, sample: HeadSample, dims: Mapping[str, Dim]) -> Iterator[Metric]:
    """The mean over texts and heads of each layer and metric, with the error of the sample.

    No metrics if all heads were measured. A single head of several has a mean, but no standard
    error.

    Args:
        rows: Rows of `text_rows`, of one model.
        sample: The heads that were measured.
        dims: Dimensions of all metrics, such as the corruption.
    """
    m = len(sample.heads[0])
    if m == sample.n_heads:
        return
    own = rows.filter(pl.col("head") >= 0)
    of_heads = own.group_by("layer", "metric", "head", maintain_order=True).agg(
        pl.col("value").mean()
    )
    for (layer, metric), values in of_heads.group_by("layer", "metric", maintain_order=True):
        numbers = torch.from_numpy(values["value"].to_numpy().copy())
        mean, error = (numbers[0], None) if m == 1 else mean_over_heads(numbers, sample.n_heads)
        yield Metric(
            name="spectra/mean_over_heads",
            value=float(mean),
            unit="metric",
            n=m,
            stderr=None if error is None else float(error),
            dims={**dims, **dims_of(str(metric)), "layer": int(str(layer))},
        )
