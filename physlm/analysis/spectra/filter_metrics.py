"""Everything that the scorer ``spectral_filter`` measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.placements import auc_gain, auc_metric
from physlm.analysis.spectra.text_columns import (
    Choice,
    Columns,
    chosen_column,
    half,
    one_column,
    text_columns,
    unpaired_texts,
)
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.data.corpus import Corpus
from physlm.data.corrupted import Corrupted
from physlm.data.filtered import SCORES
from physlm.data.labelled import LabelledTexts
from physlm.errors import InputError
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectral_filter import SpectralFilterConfig

_P = "filter"
_SEED = 0  # of the untrained model and the random score
_LIKELIHOODS = ("mean_log_probability", "min_log_probability")
_PER_BLOCK = 2000  # documents whose states are read before the next ones are written

Scores = Float[np.ndarray, " texts"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Scores of documents, higher for right ones.

    Attributes:
        scores: Scores by the name of the filter.
        spectral: What the spectral filter has chosen.
        likelihood: The log-probability with the larger AUC on the fitting documents.
        of_metrics: What each metric alone would have chosen.
    """

    scores: dict[str, Scores]
    spectral: Choice
    likelihood: str
    of_metrics: dict[str, Choice]


def measured_filter(
    config: "SpectralFilterConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``spectral_filter``."""
    texts = training_texts(corpus, 0, config.n_texts)
    is_fitting = half(len(texts), "filter")
    for own in (is_fitting, ~is_fitting):
        _require_both(texts.is_valid[own])
    found = filters(config, model, texts, is_fitting)
    metrics = list(_metrics(found, texts.is_valid, ~is_fitting))
    tables = {"filter_choices": _choices(found)}
    if config.scores_all:
        tables[SCORES] = all_scores(config, model, corpus, found)
    return Measurement(tuple(metrics), tables=tables)


def training_texts(corpus: Corpus, first: int, last: int) -> LabelledTexts:
    """Documents ``first`` to ``last - 1`` of the first epoch, with their truth."""
    assert isinstance(corpus, Corrupted)
    last = min(last, corpus.n_documents)
    documents = corpus.epoch(0, first, last)
    tokens = np.split(documents.tokens, documents.starts[1:-1])
    return unpaired_texts(tokens, ~corpus.is_corrupted(0, first, last), np.arange(len(tokens)))


def filters(
    config: "SpectralFilterConfig",
    model: LanguageModel,
    texts: LabelledTexts,
    is_fitting: Bool[np.ndarray, " texts"],
) -> Filters:
    """All filters, chosen on the fitting documents.

    Args:
        config: Metrics and batch size.
        model: The trained model.
        texts: Training documents.
        is_fitting: Whether filters are chosen on a document.
    """

    def area(scores: Float[np.ndarray, "scores texts"]) -> Float[np.ndarray, " scores"]:
        return auc(scores[:, is_fitting].T, texts.is_valid[is_fitting])

    def columns(read: LanguageModel) -> Columns:
        return text_columns(read, texts, config.metrics, config.batch_size)

    own = columns(model)
    spectral = chosen_column(own, area)
    untrained = chosen_column(columns(model.untrained(_SEED)), area)
    covariates = text_covariates(model, texts, config.batch_size)
    scores = {name: covariates[name].to_numpy() for name in _LIKELIHOODS}
    areas = area(np.stack(list(scores.values())))
    scores |= {"spectra": spectral.scores, "untrained": untrained.scores}
    scores["random"] = stream(_SEED, "filter", "random").random(len(texts))
    return Filters(
        scores=scores,
        spectral=spectral,
        likelihood=_LIKELIHOODS[int(areas.argmax())],
        of_metrics={name: chosen_column(own.of_metric(name), area) for name in own.metrics},
    )


def all_scores(
    config: "SpectralFilterConfig", model: LanguageModel, corpus: Corpus, found: Filters
) -> pl.DataFrame:
    """Scores of all documents of the first epoch by the chosen filters, one row per document.

    Args:
        config: Batch size.
        model: The trained model.
        corpus: Its corpus.
        found: The filters.
    """
    blocks = []
    for first in range(0, corpus.n_documents, _PER_BLOCK):
        texts = training_texts(corpus, first, first + _PER_BLOCK)
        likelihood = text_covariates(model, texts, config.batch_size)[found.likelihood]
        spectral = one_column(model, texts, found.spectral.key, config.batch_size)
        blocks.append(
            pl.DataFrame(
                {
                    "document": first + np.arange(len(texts)),
                    "is_corrupted": ~texts.is_valid,
                    "spectra": found.spectral.sign * spectral,
                    "log_probability": likelihood,
                }
            )
        )
    return pl.concat(blocks)


def _metrics(
    found: Filters, is_right: Bool[np.ndarray, " texts"], tested: Bool[np.ndarray, " texts"]
) -> Iterator[Metric]:
    """AUCs on the documents on which nothing was chosen."""
    own = is_right[tested]
    for name, scores in found.scores.items():
        yield auc_metric(f"{_P}/auc", scores[tested], own, score=name)
    for name, choice in found.of_metrics.items():
        dims = {"score": "spectra", "metric": name.split("/")[0]}
        yield auc_metric(f"{_P}/auc", choice.scores[tested], own, **dims)
    spectral = found.spectral.scores[tested]
    for name in ("random", "untrained", *_LIKELIHOODS):
        over = found.scores[name][tested]
        yield auc_gain(f"{_P}/auc_gain", spectral, over, own, over=name, score="spectra")
    best = found.scores[found.likelihood][tested]
    yield auc_metric(f"{_P}/auc", best, own, score="log_probability")
    yield auc_gain(f"{_P}/auc_gain", spectral, best, own, over="log_probability", score="spectra")


def _choices(found: Filters) -> pl.DataFrame:
    """What each filter has chosen."""
    choices = {"any": found.spectral, **found.of_metrics}
    return pl.DataFrame(
        {
            "among": list(choices),
            "layer": [choice.key[0] for choice in choices.values()],
            "head": [choice.key[1] for choice in choices.values()],
            "metric": [choice.key[2] for choice in choices.values()],
            "sign": [choice.sign for choice in choices.values()],
        }
    )


def _require_both(is_right: Bool[np.ndarray, " texts"]) -> None:
    """Require two documents of each kind in a half, which standard errors need."""
    n_wrong = int((~is_right).sum())
    if min(n_wrong, len(is_right) - n_wrong) < 2:
        raise InputError(
            f"eval=spectral_filter: {n_wrong} of {len(is_right)} training documents of a half are "
            "corrupted; at least 2 of each kind are needed; change data.corrupted_fraction or "
            "n_texts"
        )
