"""Spectral metrics of texts as columns, one for each layer, head and metric, to choose among."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int64

from physlm.analysis.spectra.head_sample import HeadSample, sample_heads
from physlm.analysis.spectra.metric_options import MetricOptions
from physlm.analysis.spectra.options import Heads
from physlm.analysis.spectra.text_rows import MEAN_GRAPH, RowOptions, text_rows
from physlm.data.labelled import VALID, LabelledTexts
from physlm.models.language_model import LanguageModel
from physlm.rng import stream


@dataclass(frozen=True, slots=True)
class Columns:
    """Values of texts.

    Attributes:
        keys: Layer, head and metric of each column.
        values: One row per column.
    """

    keys: tuple[tuple[int, int, str], ...]
    values: Float[np.ndarray, "columns texts"]

    def of_metric(self, metric: str) -> "Columns":
        """The columns of one metric."""
        own = [i for i, key in enumerate(self.keys) if key[2] == metric]
        return Columns(tuple(self.keys[i] for i in own), self.values[own])

    @property
    def metrics(self) -> list[str]:
        """The metrics that some column has."""
        return list(dict.fromkeys(metric for *_, metric in self.keys))


@dataclass(frozen=True, slots=True)
class Choice:
    """A column and a direction.

    Attributes:
        key: Layer, head and metric.
        sign: 1 if right texts have the larger values, else -1.
        scores: Sign times value of each text.
    """

    key: tuple[int, int, str]
    sign: int
    scores: Float[np.ndarray, " texts"]


Quality = Callable[[Float[np.ndarray, "scores texts"]], Float[np.ndarray, " scores"]]


def chosen_column(columns: Columns, quality: Quality) -> Choice:
    """The column and the direction of the best quality; the first of equals.

    Args:
        columns: The columns to choose among.
        quality: Quality of scores that are larger for right texts; it must use the fitting texts
            only.
    """
    both = np.concatenate([columns.values, -columns.values])
    best = int(np.argmax(quality(both)))
    sign = 1 if best < len(columns.keys) else -1
    return Choice(columns.keys[best % len(columns.keys)], sign, both[best])


def half(n: int, purpose: str) -> Bool[np.ndarray, " n"]:
    """True for a random half, on which columns are chosen; the others are measured."""
    is_fitting = np.zeros(n, dtype=bool)
    is_fitting[stream(0, "spectra", purpose).permutation(n)[: n // 2]] = True
    return is_fitting


def text_columns(
    model: LanguageModel, texts: LabelledTexts, metrics: Sequence[str], batch_size: int
) -> Columns:
    """The metrics of all layers and heads; those that are undefined on some text are left out.

    Args:
        model: A causal model.
        texts: The texts.
        metrics: Names of metrics, without dimensions.
        batch_size: Texts of equal length that are read at once.
    """
    sample = sample_heads(model.n_layers, n_heads(model, texts.tokens[0]))
    return _columns(model, texts, metrics, sample, batch_size)


def one_column(
    model: LanguageModel, texts: LabelledTexts, key: tuple[int, int, str], batch_size: int
) -> Float[np.ndarray, " texts"]:
    """The values of one column alone.

    Args:
        model: A causal model.
        texts: The texts.
        key: Layer, head and metric of the column.
        batch_size: Texts of equal length that are read at once.
    """
    layer, head, metric = key
    all_heads = n_heads(model, texts.tokens[0])
    sample = HeadSample((layer,), ((head,),), model.n_layers, all_heads)
    name, *_ = metric.split("/")  # without its dimensions
    # The mean of one head is that head, and no other graph is measured.
    found = _columns(model, texts, [name], sample, batch_size, Heads.mean).of_metric(metric)
    values: np.ndarray = found.values[0]
    return values


def n_heads(model: LanguageModel, text: np.ndarray) -> int:
    """Number of heads of each layer whose maps the model shows."""
    tokens = torch.from_numpy(text)[None].long().to(model.device)
    _, maps = next(iter(model.attention_patterns(tokens, [0])))
    return maps.shape[1]


def unpaired_texts(
    tokens: Sequence[np.ndarray],
    is_valid: Bool[np.ndarray, " texts"],
    problem: Int64[np.ndarray, " texts"],
) -> LabelledTexts:
    """Labelled texts whose corruption is not known."""
    n, unknown = len(tokens), np.full(len(tokens), -1)
    return LabelledTexts(
        tokens=tuple(tokens),
        is_valid=is_valid,
        problem=problem,
        corruption=tuple(np.where(is_valid, VALID, "unknown").tolist()),
        n_errors=(~is_valid).astype(np.int64),
        error_position=unknown,
        level=unknown,
        source=("",) * n,
        is_complete=np.ones(n, dtype=bool),
        n_given=np.ones(n, dtype=np.int64),
    )


def _columns(
    model: LanguageModel,
    texts: LabelledTexts,
    metrics: Sequence[str],
    sample: HeadSample,
    batch_size: int,
    heads: Heads = Heads.each,
) -> Columns:
    options = RowOptions(
        metrics=MetricOptions(metrics=list(metrics), betas=[1.0]),
        sample=sample,
        heads=heads,
        drop_first=(0,),
        batch_size=batch_size,
    )
    return columns_of(text_rows(model, texts, options))


def columns_of(rows: pl.DataFrame) -> Columns:
    """Rows of texts as columns; the graph of the mean over heads is left out beside heads.

    Args:
        rows: Result of ``text_rows``.
    """
    if rows["head"].max() != MEAN_GRAPH:
        rows = rows.filter(pl.col("head") != MEAN_GRAPH)
    names = ["layer", "head", "metric"]
    wide = rows.group_by(names, maintain_order=True).agg(pl.col("value").sort_by("text"))
    keys = tuple(zip(*(wide[name].to_list() for name in names), strict=True))
    values = wide["value"].explode().to_numpy().reshape(len(wide), -1)
    return Columns(keys, values)
