"""The windows that depth scorers read: some to fit a lens on, others to analyse."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from physlm.analysis.depth.buckets import count_tokens
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.read_texts import count_texts, read_texts
from physlm.analysis.lenses.state_pool import Windows
from physlm.data.annotation import AnnotatedDocuments, annotated
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

_MOST_COUNTED = 2_000_000  # tokens of the training data whose frequencies are counted


@dataclass(frozen=True, slots=True, eq=False)
class DepthSample:
    """What a depth scorer reads.

    No group of documents, such as those about one person, is in both parts: a lens that was fitted
    on a person's biographies may have learned the person.

    Attributes:
        fitted: Windows to fit a lens on.
        tokens: Windows to analyse, padded on the right.
        positions: The predictions in them whose next token is known, with its properties.
        truth: True distribution of the token after each token; None if it is not known.
    """

    fitted: Windows
    tokens: Int[Tensor, "windows seq"]
    positions: Positions
    truth: Float[Tensor, "windows seq vocab"] | None

    @property
    def analysed(self) -> Windows:
        """The windows to analyse, with the tokens at which predictions are analysed."""
        return Windows(self.tokens, self.positions.is_chosen)


def depth_sample(
    model: LanguageModel,
    corpus: Corpus,
    *,
    n_lens_tokens: int,
    n_predictions: int,
    window: int,
    skip_first: int,
) -> DepthSample:
    """Documents of a corpus, divided by group, such as the person they are about.

    Args:
        model: The model that reads them.
        corpus: The corpus.
        n_lens_tokens: About how many tokens to fit the lens on.
        n_predictions: About how many predictions to analyse.
        window: Tokens of the longest window; longer documents are split.
        skip_first: Tokens at the start of each window that are not analysed.

    Raises:
        InputError: If all documents belong to one group, or nothing is left to analyse.
    """
    n_tokens = n_lens_tokens + n_predictions
    if model.text is None:
        found, padding = annotated(corpus, n_tokens), int(corpus.vocabulary.eos)
    else:
        found, padding = read_texts(corpus, model.text, n_tokens), 0
    is_fitted = _divided(found, n_lens_tokens / (n_lens_tokens + n_predictions))
    longest = min(window, model.longest_window or window)
    fitted = _Cut.of(found, is_fitted, longest)
    read = _Cut.of(found, ~is_fitted, longest)
    groups = np.repeat(found.groups, np.diff(found.documents.starts))
    positions = Positions(
        lengths=torch.from_numpy(read.lengths),
        documents=torch.from_numpy(read.at(groups)),
        is_chosen=torch.from_numpy(read.has_next),
        skip_first=skip_first,
        tags={name: read.after(values) for name, values in found.every_tag.items()},
    )
    truth = None if found.truth is None else torch.from_numpy(read.after(found.truth))
    return DepthSample(
        fitted=Windows(
            torch.from_numpy(fitted.at(found.documents.tokens, padding)).long(),
            torch.from_numpy(fitted.index >= 0),
        ),
        tokens=torch.from_numpy(read.at(found.documents.tokens, padding)).long(),
        positions=positions,
        truth=truth,
    )


def token_counts(model: LanguageModel, corpus: Corpus) -> Float[np.ndarray, " vocab"]:
    """How often each of the model's tokens occurs in the training data, or in a part of it.

    Raises:
        InputError: If the model has its own tokenizer, and the corpus no texts.
    """
    if model.text is not None:
        return count_texts(corpus, model.text, model.vocabulary_size)
    per_document = len(corpus.epoch(0, 0, min(16, corpus.n_documents)).tokens) / 16
    n_documents = min(corpus.n_documents, max(16, int(_MOST_COUNTED / per_document)))
    return count_tokens(corpus.epoch(0, 0, n_documents).tokens, corpus.vocabulary.size)


def _divided(found: AnnotatedDocuments, fraction: float) -> Bool[np.ndarray, " documents"]:
    """Whether each document is one to fit the lens on, by its group."""
    groups = np.unique(found.groups)
    n_fitted = min(max(1, round(len(groups) * fraction)), len(groups) - 1)
    if n_fitted == 0:
        raise InputError(
            "all documents are about one person or subject; the lens is fitted on others; use more"
        )
    order = stream(0, "depth", "groups").permutation(len(groups))
    return np.isin(found.groups, groups[order[:n_fitted]])


@dataclass(frozen=True, slots=True)
class _Cut:
    """Documents cut into windows.

    Attributes:
        index: Number of each token among those of all documents; -1 is padding.
    """

    index: Int64[np.ndarray, "windows seq"]

    @classmethod
    def of(cls, found: AnnotatedDocuments, is_chosen: np.ndarray, longest: int) -> "_Cut":
        """Windows of at most ``longest`` tokens of the chosen documents."""
        starts = found.documents.starts
        spans = [
            (first, min(first + longest, starts[i + 1]))
            for i in np.flatnonzero(is_chosen)
            for first in range(starts[i], starts[i + 1], longest)
        ]
        index = np.full((len(spans), max(last - first for first, last in spans)), -1)
        for row, (first, last) in enumerate(spans):
            index[row, : last - first] = np.arange(first, last)
        return cls(index)

    @property
    def lengths(self) -> Int64[np.ndarray, " windows"]:
        """Tokens of each window."""
        found: np.ndarray = (self.index >= 0).sum(axis=1)
        return found

    def at(self, values: np.ndarray, padding: int = 0) -> np.ndarray:
        """Value of each token; ``padding`` where there is none."""
        found: np.ndarray = np.where(self.index >= 0, values[self.index], padding)
        return found

    def after(self, values: np.ndarray) -> np.ndarray:
        """Value of the token after each token in its window; arbitrary where there is none."""
        found: np.ndarray = values[np.maximum(self._following, 0)]
        return found

    @property
    def has_next(self) -> Bool[np.ndarray, "windows seq"]:
        """Whether a token follows each token in its window, so that something is predicted."""
        found: np.ndarray = self._following >= 0
        return found

    @property
    def _following(self) -> Int64[np.ndarray, "windows seq"]:
        found = np.roll(self.index, -1, axis=1)
        found[:, -1] = -1
        return found
