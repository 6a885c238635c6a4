"""Losses of people's names and attribute values, each document alone in its window."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.sentences import Biographies
from physlm.eval.scorer import require_window
from physlm.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class ItemLosses:
    """Losses of each item of each person, in nats, summed over tokens, averaged over renderings.

    Attributes:
        name: Loss of the name.
        value: Loss of each attribute's value.
        first_chunk: Loss of the first chunk of each value; empty without diversity sets.
        is_right: Fraction of renderings in which greedy decoding gives the whole value.
        is_name_right: Fraction of renderings in which it gives the whole name.
    """

    name: Float[np.ndarray, " people"]
    value: Float[np.ndarray, "people attributes"]
    first_chunk: Float[np.ndarray, "people chunked"]
    is_right: Float[np.ndarray, "people attributes"]
    is_name_right: Float[np.ndarray, " people"]


def require_documents_fit(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    n_renderings: int,
    *,
    n_unread: int = 1,
) -> None:
    """Require that the model's window holds each document, except its last ``n_unread`` tokens.

    Args:
        model: The model that reads the documents.
        corpus: The world of the people.
        people: Indices of the people whose documents are read.
        n_renderings: Documents of each person.
        n_unread: How many tokens at the end of a document are never read.

    Raises:
        InputError: If the model has fewer learned positions.
    """
    if model.longest_window is None:
        return
    renderings = (corpus.rendering(i, people) for i in range(n_renderings))
    longest = max(int(np.diff(documents.starts).max()) for documents in renderings)
    require_window(model, "documents", longest, n_unread=n_unread)


def measure_items(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    *,
    n_renderings: int,
    batch_size: int,
) -> ItemLosses:
    """Score every item of every person, each document alone in its window.

    Greedy decoding gives a value exactly if each of its tokens is the most likely one after the
    true tokens before it, so that one forward pass replaces decoding.

    Args:
        model: The model to be measured.
        corpus: The world of the people.
        people: Indices of the people.
        n_renderings: Documents of each person.
        batch_size: Documents per forward pass.
    """
    n = len(people)
    chunk_length = 0 if corpus.diversity is None else corpus.diversity.chunk_length
    n_attributes = len(corpus.attributes)
    sums = {
        "name": np.zeros(n),
        "value": np.zeros((n, n_attributes)),
        "first_chunk": np.zeros((n, n_attributes if chunk_length else 0)),
        "is_right": np.zeros((n, n_attributes)),
        "is_name_right": np.zeros(n),
    }
    for number in range(n_renderings):
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            documents = corpus.rendering(number, people[rows])
            nats, is_most_likely = _token_losses(model, documents, corpus.vocabulary.eos)
            names, spans = documents.name_spans[:, None], documents.value_spans
            sums["name"][rows] += _span_sums(nats, names)[:, 0]
            sums["is_name_right"][rows] += _span_sums(~is_most_likely, names)[:, 0] == 0
            sums["value"][rows] += _span_sums(nats, spans)
            n_wrong = _span_sums(~is_most_likely, spans)
            sums["is_right"][rows] += n_wrong == 0
            if chunk_length:
                chunk = np.stack([spans[..., 0], spans[..., 0] + chunk_length], axis=-1)
                sums["first_chunk"][rows] += _span_sums(nats, chunk)
    return ItemLosses(**{name: total / n_renderings for name, total in sums.items()})


def token_losses(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    *,
    number: int,
    batch_size: int,
) -> Float[np.ndarray, " people"]:
    """Mean loss per token, in nats, of one rendering of each person.

    Args:
        model: The model to be measured.
        corpus: The world of the people.
        people: Indices of the people.
        number: Number of the rendering.
        batch_size: Documents per forward pass.
    """
    per_document = []
    for first in range(0, len(people), batch_size):
        documents = corpus.rendering(number, people[first : first + batch_size])
        nats, _ = _token_losses(model, documents, corpus.vocabulary.eos)
        lengths = np.diff(documents.starts)
        is_token = np.arange(nats.shape[1]) < lengths[:, None]
        per_document.append((nats * is_token).sum(axis=1) / (lengths - 1))
    return np.concatenate(per_document)


def _span_sums(
    per_token: Float[np.ndarray, "documents tokens"] | Bool[np.ndarray, "documents tokens"],
    spans: np.ndarray,
) -> Float[np.ndarray, "documents spans"]:
    """Sums over the token spans (start, end) of each document."""
    cumulative = np.pad(per_token.astype(np.float64).cumsum(axis=1), ((0, 0), (1, 0)))
    ends = np.take_along_axis(cumulative, spans[..., 1], axis=1)
    sums: np.ndarray = ends - np.take_along_axis(cumulative, spans[..., 0], axis=1)
    return sums


@torch.inference_mode()
def _token_losses(
    model: LanguageModel, documents: Biographies, eos: int
) -> tuple[Float[np.ndarray, "documents tokens"], Bool[np.ndarray, "documents tokens"]]:
    """Loss of each token in nats, and whether it is the most likely; 0 and True at position 0."""
    tokens = torch.from_numpy(documents.rows(eos)).long().to(model.device)
    logits: Tensor = model(tokens[:, :-1]).float()
    targets = tokens[:, 1:]
    nats = torch.nn.functional.cross_entropy(logits.mT, targets, reduction="none")
    is_most_likely = logits.argmax(dim=-1) == targets
    return (
        np.pad(nats.cpu().double().numpy(), ((0, 0), (1, 0))),
        np.pad(is_most_likely.cpu().numpy(), ((0, 0), (1, 0)), constant_values=True),
    )
