"""Annotated documents: the class and the true distribution of each token, as the world has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from physlm.data.corpus import Corpus, Documents
from physlm.data.mixture import Mixture

CLASS, ENTROPY = "class", "true_entropy_nats"
# Tags of a value's tokens: the number of tokens of the value, and the token's position, from 1.
LENGTH, POSITION = "value_length", "value_position"
VALUE_FIRST, VALUE_LATER = "value_first", "value_later"  # classes of these tokens


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedDocuments:
    """Documents that a model of the corpus can read one by one.

    Attributes:
        documents: The documents.
        groups: What each document is about, such as a person. Documents of one group share
            knowledge, so that a lens is fitted on all of them or on none.
        names: Names of the things that documents may be about; empty if they have none.
        classes: Class of each token; None if the world has none.
        entropy_nats: True entropy of each token given those before it, NaN where it is unknown;
            None if it is unknown everywhere.
        truth: True distribution of each token given those before it, over the vocabulary; NaN at
            end-of-text, which nothing precedes. None if the world does not compute it.
        tags: Further properties of each token.
    """

    documents: Documents
    groups: Int64[np.ndarray, " documents"]
    names: Sequence[str] = ()
    classes: np.ndarray | None = None
    entropy_nats: Float64[np.ndarray, " tokens"] | None = None
    truth: Float32[np.ndarray, "tokens vocab"] | None = None
    tags: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def every_tag(self) -> dict[str, np.ndarray]:
        """All properties of tokens by name, ``class`` and ``true_entropy_nats`` among them."""
        found = {CLASS: self.classes, ENTROPY: self.entropy_nats}
        return {**{k: v for k, v in found.items() if v is not None}, **self.tags}


@runtime_checkable
class Annotated(Protocol):
    """A corpus that can annotate its tokens."""

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Documents of about ``n_tokens`` tokens, or all that there are, for measurement."""


def annotated(corpus: Corpus, n_tokens: int) -> AnnotatedDocuments:
    """Documents of a corpus for measurement, annotated if it is `Annotated`.

    Any other corpus gives the first documents of its first epoch, each a group of its own.

    Args:
        corpus: The corpus; of a mixture, its first part.
        n_tokens: About how many tokens; fewer if the corpus has fewer.
    """
    first = corpus.parts[0] if isinstance(corpus, Mixture) else corpus
    if isinstance(first, Annotated):
        return first.annotated(n_tokens)
    # Documents are drawn until there are enough, as their lengths are not known before.
    n = 64
    documents = first.epoch(0, 0, min(n, first.n_documents))
    while len(documents.tokens) < n_tokens and n < first.n_documents:
        n *= 2
        documents = first.epoch(0, 0, min(n, first.n_documents))
    return AnnotatedDocuments(documents, np.arange(len(documents)))
