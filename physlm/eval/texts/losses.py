"""Losses of a model on documents of natural text."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64, Int64

from physlm.data.files.text_corpus import Part, TextCorpus
from physlm.measurement import Metric
from physlm.models.cross_entropy import NO_TARGET
from physlm.models.language_model import LanguageModel
from physlm.stats.ratio import ratio_of_sums

if TYPE_CHECKING:
    from physlm.eval.texts.text_loss import TextLossConfig

Tokens = Int64[np.ndarray, " _tokens"]


def loss_metrics(
    model: LanguageModel, corpus: TextCorpus, config: "TextLossConfig", n_documents: int
) -> list[Metric]:
    """Metrics of both parts.

    Args:
        model: The model.
        corpus: The texts.
        config: Window and batch size.
        n_documents: Maximum number of documents of each part.
    """
    found = []
    for part in Part:
        texts = corpus.texts(part)[:n_documents]
        if not texts:
            continue
        documents = [_tokens_of(model, corpus, text) for text in texts]
        longest = min(config.window, model.longest_window or config.window)
        losses = [_losses(model, tokens, longest, config.batch_size) for tokens in documents]
        found += _metrics(texts, documents, losses, part.value)
    return found


def _tokens_of(model: LanguageModel, corpus: TextCorpus, text: str) -> Tokens:
    """A document in the tokens of the model."""
    if model.text is not None:
        return np.array(model.text.tokens_of(text), dtype=np.int64)
    tokens = corpus.vocabulary.encode(text)
    return np.concatenate([[corpus.vocabulary.eos], tokens]).astype(np.int64)


def _losses(
    model: LanguageModel, tokens: Tokens, longest: int, batch_size: int
) -> Float64[np.ndarray, " predictions"]:
    """Loss of every token but the first of each window.

    Args:
        model: The model.
        tokens: Tokens of one document.
        longest: Tokens of a window.
        batch_size: Windows per forward pass.
    """
    starts = range(0, len(tokens) - 1, longest)
    windows = torch.zeros(len(starts), longest, dtype=torch.long)
    targets = torch.full_like(windows, NO_TARGET)
    for row, start in zip(range(len(starts)), starts, strict=True):
        own = torch.from_numpy(tokens[start : start + longest])
        windows[row, : len(own)] = own
        targets[row, : len(own) - 1] = own[1:]
    found = []
    with torch.inference_mode():
        for part, wanted in zip(
            torch.split(windows, batch_size), torch.split(targets, batch_size), strict=True
        ):
            logits = model(part.to(model.device)).float()
            flat = wanted.to(logits.device).flatten()
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), flat, ignore_index=NO_TARGET, reduction="none"
            )
            found.append(losses[flat != NO_TARGET].double().cpu().numpy())
    return np.concatenate(found)


def _metrics(
    texts: list[str], documents: list[Tokens], losses: list[np.ndarray], split: str
) -> list[Metric]:
    """Means over tokens, with standard errors over documents."""
    counts = np.array([len(own) for own in losses])
    totals = np.array([own.sum() for own in losses])
    n_bytes = np.array([len(text.encode()) for text in texts])
    tokens = np.bincount(np.concatenate([own[1:] for own in documents]))
    p = tokens[tokens > 0] / tokens.sum()
    unigram, n = float(-(p * np.log(p)).sum()), len(texts)
    rows = [
        ("text/loss_nats", "nats/token", *ratio_of_sums(totals, counts)),
        ("text/bits_per_byte", "bits/byte", *ratio_of_sums(totals / math.log(2), n_bytes)),
        ("text/unigram_loss_nats", "nats/token", unigram, None),
    ]
    return [
        Metric(name=name, value=value, unit=unit, n=n, stderr=stderr, dims={"split": split})
        for name, unit, value, stderr in rows
    ]
