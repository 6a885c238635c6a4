"""Log-probabilities of strings under a model, compared with the true ones."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.eval.scorer import mean
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel


def next_token_scores(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, batch_size: int
) -> Iterator[tuple[int, Float[np.ndarray, "strings positions vocabulary"]]]:
    """Next-token log-probabilities after end-of-text and each token of strings, batch by batch.

    Columns are token ids: the grammar's tokens in ascending order, then end-of-text. Each batch
    comes with the index of its first string. Rows after the end of a string are meaningless. For a
    string longer than the model's window, the last row is the one after the window's last token.

    Args:
        model: The model to be measured.
        corpus: The corpus of the grammar.
        strings: Strings to read.
        batch_size: Strings per forward pass.
    """
    rows = corpus.documents(strings).rows(corpus.vocabulary.eos)
    longest = strings.lengths + 1
    for first in range(0, len(strings), batch_size):
        n_read = min(longest[first : first + batch_size].max(), model.longest_window or rows.size)
        batch = torch.from_numpy(rows[first : first + batch_size, :n_read])
        with torch.inference_mode():
            logits = model(batch.long().to(model.device))
        yield first, logits.double().log_softmax(dim=-1).cpu().numpy()


def log_probabilities(
    model: LanguageModel,
    corpus: CfgCorpus,
    strings: Strings,
    *,
    has_end: Bool[np.ndarray, " strings"],
    batch_size: int,
) -> Float[np.ndarray, " strings"]:
    """Log-probability of each string under a model, in nats.

    Args:
        model: The model to be measured.
        corpus: The corpus of the grammar.
        strings: Strings to score.
        has_end: Whether the probability of a string includes that of its end.
        batch_size: Strings per forward pass.
    """
    found = np.empty(len(strings))
    for first, log_p in next_token_scores(model, corpus, strings, batch_size):
        for i, scores in enumerate(log_p, start=first):
            found[i] = _log_probability(scores, corpus, strings[i], has_end=bool(has_end[i]))
    return found


def distribution_metrics(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, batch_size: int
) -> list[Metric]:
    """Loss, floor, their ratio and difference, and KL, over strings.

    Args:
        model: The model to be measured.
        corpus: The corpus of the grammar.
        strings: Fresh strings.
        batch_size: Strings per forward pass.
    """
    losses, divergences = [], []
    for first, log_p in next_token_scores(model, corpus, strings, batch_size):
        for i, rows in enumerate(log_p, start=first):
            scores = rows[: len(strings[i]) + 1]
            losses.append(-_log_probability(scores, corpus, strings[i], has_end=True))
            truth = corpus.grammar.next_token_distribution(strings[i])
            divergences.append(_kl(np.roll(truth, -1, axis=1), scores).mean())
    floors = -corpus.grammar.log_probabilities(strings)
    return _loss_metrics(np.array(losses), floors, strings.lengths + 1, np.array(divergences))


def _log_probability(
    scores: Float[np.ndarray, "positions vocabulary"],
    corpus: CfgCorpus,
    string: np.ndarray,
    *,
    has_end: bool,
) -> float:
    """Log-probability of a string, and of its end if it has one, from next-token scores."""
    ids = corpus.ids(string)
    if has_end:
        ids = np.append(ids, corpus.vocabulary.eos)
    return float(scores[np.arange(len(ids)), ids].sum())


def _kl(
    truth: Float[np.ndarray, "positions vocabulary"],
    log_p: Float[np.ndarray, "positions vocabulary"],
) -> Float[np.ndarray, " positions"]:
    """KL(truth || model) in nats; impossible tokens contribute 0."""
    log_truth = np.log(truth, where=truth > 0, out=np.zeros_like(truth))
    divergence: np.ndarray = (truth * (log_truth - log_p)).sum(axis=1)
    return divergence


def _loss_metrics(
    losses: Float[np.ndarray, " strings"],
    floors: Float[np.ndarray, " strings"],
    n_tokens: np.ndarray,
    divergences: Float[np.ndarray, " strings"],
) -> list[Metric]:
    """Losses per token are sums over all strings divided by all tokens, as in training."""
    return [
        _ratio("cfg/loss_nats", losses, n_tokens, "nats/token"),
        _ratio("cfg/floor_nats", floors, n_tokens, "nats/token"),
        _ratio("cfg/loss_over_floor", losses, floors, "ratio"),
        _ratio("cfg/excess_loss_nats", losses - floors, n_tokens, "nats/token"),
        mean("cfg/kl_nats", divergences, "nats/token", split="test"),
    ]


def _ratio(name: str, values: np.ndarray, per: np.ndarray, unit: str) -> Metric:
    """A ratio of two sums over strings, with the standard error of the ratio estimator.

    Source:
        Cochran (1977), Sampling Techniques, section 6.4.
    """
    n, value = len(values), float(values.sum() / per.sum())
    rest = values - value * per
    stderr = float(rest.std(ddof=1) / math.sqrt(n) / per.mean()) if n > 1 else None
    return Metric(name=name, value=value, unit=unit, n=n, stderr=stderr, dims={"split": "test"})
