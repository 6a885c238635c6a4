"""Spectral metrics of many texts under one model, as the rows that are compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from physlm.analysis.spectra.head_sample import HeadSample
from physlm.analysis.spectra.layered_graph import joined_layers, received_and_own
from physlm.analysis.spectra.maps import check_maps, combined_heads
from physlm.analysis.spectra.masked import masked_metrics
from physlm.analysis.spectra.metric_options import COMPANIONS, MetricOptions
from physlm.analysis.spectra.options import Heads
from physlm.data.labelled import LabelledTexts
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel

MEAN_GRAPH = -1  # the number of the head that is the mean of all

# Changes the maps of a layer, given the numbers of their texts.
Change = Callable[[Float[Tensor, "texts heads tokens tokens"], Int64[np.ndarray, " texts"]], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOptions:
    """Which metrics of each text are measured, and on which graphs.

    Attributes:
        metrics: Metrics of each map.
        sample: Which layers and heads.
        heads: Heads each, or a graph of the layer instead.
        drop_first: Numbers of first tokens to leave out of the graph, each measured apart.
        batch_size: Texts of equal length that are read at once.
        span: The tokens of each text that are in the graph, as (first, last + 1).
        n_lap_eigvals: Largest eigenvalues of LapEigvals of each head, as metrics of their own.
    """

    metrics: MetricOptions
    sample: HeadSample
    heads: Heads = Heads.each
    drop_first: tuple[int, ...] = (0, 1)
    batch_size: int = 32
    span: tuple[int, int] | None = None
    n_lap_eigvals: int = 0

    @property
    def spectral(self) -> MetricOptions:
        """The metrics without their companions, which are the same for other graphs of a map."""
        names = [name for name in self.metrics.metrics or () if name not in COMPANIONS]
        return replace(self.metrics, metrics=names or None)


@torch.inference_mode()
def text_rows(
    model: LanguageModel, texts: LabelledTexts, options: RowOptions, change: Change | None = None
) -> pl.DataFrame:
    """Values of every layer, head and metric of each text.

    With ``heads=each``, the graph of the mean over measured heads has rows of its own, whose metric
    is named ``/graph_mean``; where first tokens are left out, ``/drop_first_1``; LapEigvals, of
    whole texts, are named ``lap_eigvals/rank_1`` and so on. A metric that is
    undefined on some text, such as the connectivity of a graph without edges, has no rows.

    Args:
        model: A causal model.
        texts: The texts.
        options: What is measured.
        change: Change of the maps, to plant an effect.

    Returns:
        Columns ``text``, ``layer``, ``head``, ``metric`` and ``value``.

    Raises:
        InputError: If a map is not usable, naming its layer, or no metric is defined on every text.
    """
    columns: dict[tuple[int, int, str], np.ndarray] = {}
    for batch in batches(texts, options.batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        tokens = tokens.to(model.device)
        layers = options.sample.layers
        states = model.residuals(tokens, [layer + 1 for layer in layers])
        patterns = model.attention_patterns(tokens, list(layers))
        for state, (layer, maps) in zip(states, patterns, strict=True):
            # Checkpoints may have sinks that are no tokens, which take a part of each row.
            check_maps(maps, layer, sums_to_one=model.text is None)
            maps = options.sample.of(maps, layer)  # noqa: PLW2901
            maps = maps if change is None else change(maps, batch)  # noqa: PLW2901
            for (place, metric), values in _values(maps, state, options):
                head = options.sample.head(layer, place)
                column = columns.setdefault((layer, head, metric), np.full(len(texts), np.nan))
                column[batch] = values
        if options.n_lap_eigvals:
            for key, values in _lap_eigvals(model, tokens, options, batch, change):
                column = columns.setdefault(key, np.full(len(texts), np.nan))
                column[batch] = values
    complete = {key: column for key, column in columns.items() if not np.isnan(column).any()}
    if not complete:
        raise InputError("no metric is defined on every text; leave out texts without attention")
    return _long(complete, len(texts))


def batches(texts: LabelledTexts, size: int) -> Iterator[Int64[np.ndarray, " texts"]]:
    """Numbers of texts that are read at once: of one length, so that none is padded."""
    for length in np.unique(texts.n_tokens):
        own = np.flatnonzero(texts.n_tokens == length)
        for first in range(0, len(own), size):
            yield own[first : first + size]


def _lap_eigvals(
    model: LanguageModel,
    tokens: Tensor,
    options: RowOptions,
    batch: Int64[np.ndarray, " texts"],
    change: Change | None,
) -> Iterator[tuple[tuple[int, int, str], np.ndarray]]:
    """The largest eigenvalues of the graph that joins all layers, also those not measured.

    Args:
        model: The model.
        tokens: Tokens of a batch of texts.
        options: Which layers and heads, and how many eigenvalues.
        batch: Numbers of the texts.
        change: Change of the maps.
    """
    parts = []
    for _, maps in model.attention_patterns(tokens):
        parts.append(received_and_own(maps if change is None else change(maps, batch)))
    received, own = (torch.stack(part, dim=1) for part in zip(*parts, strict=True))
    values = joined_layers(received, own).topk(options.n_lap_eigvals, dim=-1).values.double()
    for layer, heads in zip(options.sample.layers, options.sample.heads, strict=True):
        for head in heads:
            for rank, column in enumerate(values[:, layer, head].T.cpu().numpy(), start=1):
                yield (layer, head, f"lap_eigvals/rank_{rank}"), column


def _values(
    maps: Tensor, state: Tensor, options: RowOptions
) -> Iterator[tuple[tuple[int, str], np.ndarray]]:
    """Head and metric of each column, and its values on the texts of a batch."""
    first, *others = options.drop_first
    yield from _of_graphs(maps, state, options, options.metrics, first)
    for drop_first in others:
        yield from _of_graphs(maps, state, options, options.spectral, drop_first)
    if options.heads is Heads.each:
        graph = combined_heads(maps, Heads.mean)
        own = _measured(graph[:, None], state, options, options.spectral, first)
        for key, column in own:
            yield (MEAN_GRAPH, f"{key[1]}/graph_mean"), column


def _of_graphs(
    maps: Tensor, state: Tensor, options: RowOptions, metrics: MetricOptions, drop_first: int
) -> Iterator[tuple[tuple[int, str], np.ndarray]]:
    """Columns of the graphs of heads, or of the one graph that represents them."""
    suffix = f"/drop_first_{drop_first}" if drop_first else ""
    is_each = options.heads is Heads.each
    graphs = maps if is_each else combined_heads(maps, options.heads)[:, None]
    for (head, name), column in _measured(graphs, state, options, metrics, drop_first):
        yield (head if is_each else MEAN_GRAPH, name + suffix), column


def _measured(
    maps: Tensor, state: Tensor, options: RowOptions, metrics: MetricOptions, drop_first: int
) -> Iterator[tuple[tuple[int, str], np.ndarray]]:
    found = masked_metrics(maps, state[:, None], metrics, span=options.span, drop_first=drop_first)
    for name, (values, is_defined) in found.items():
        numbers = torch.where(is_defined, values.double(), torch.nan).cpu().numpy()
        for head, column in enumerate(numbers.T):
            yield (head, name), column


def _long(columns: dict[tuple[int, int, str], np.ndarray], n_texts: int) -> pl.DataFrame:
    layer, head, metric = (list(part) for part in zip(*columns, strict=True))
    return pl.DataFrame(
        {
            "text": np.tile(np.arange(n_texts), len(columns)),
            "layer": np.repeat(layer, n_texts),
            "head": np.repeat(head, n_texts),
            "metric": pl.Series(metric).gather(np.repeat(np.arange(len(columns)), n_texts)),
            "value": np.concatenate(list(columns.values())),
        }
    )
