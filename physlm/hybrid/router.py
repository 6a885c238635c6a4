"""The choice of a method for each question, learnt from questions with known answers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float64


class Method(str, Enum):
    """A way of answering, cheapest first.

    Attributes:
        database: The title or a value of the best document.
        model: The model alone.
        hint: The model, which writes the facts first.
        grounded: The model, which first writes facts in words of the documents.
    """

    database = "database"
    model = "model"
    hint = "hint"
    grounded = "grounded"


@dataclass(frozen=True, slots=True)
class Router:
    """Classifies a question by its words, and knows the best method of each kind.

    Naive Bayes over the presence of words, without names and numbers.

    Attributes:
        kinds: Names of the kinds.
        words: Index of each known word.
        log_probabilities: Of the absence and the presence of each word, in nats, by kind.
        methods: The method of each kind.
    """

    kinds: tuple[str, ...]
    words: Mapping[str, int]
    log_probabilities: Float64[np.ndarray, "kinds words presence"]
    methods: Mapping[str, Method]

    @classmethod
    def fitted(
        cls,
        questions: Sequence[str],
        kinds: Sequence[str],
        accuracies: Mapping[str, Mapping[Method, float]],
    ) -> "Router":
        """A router for questions like these.

        Args:
            questions: Examples.
            kinds: The kind of each.
            accuracies: Of each kind and method, measured on other questions. The most accurate
                method is chosen; among equals the first in the order of `Method`.
        """
        known, names = tuple(dict.fromkeys(kinds)), list(map(_words_of, questions))
        words = {word: i for i, word in enumerate(sorted(set().union(*names)))}
        counts = np.zeros((len(known), len(words)))
        totals = np.zeros((len(known), 1))
        for own, kind in zip(names, kinds, strict=True):
            counts[known.index(kind), [words[word] for word in own]] += 1
            totals[known.index(kind)] += 1
        present = (counts + 1) / (totals + 2)  # Laplace's rule of succession
        log_probabilities = np.log(np.stack([1 - present, present], axis=-1))
        methods = {
            kind: max(Method, key=lambda method: accuracies[kind].get(method, -1.0))
            for kind in known
        }
        return cls(known, words, log_probabilities, methods)

    def kind(self, question: str) -> str:
        """The likeliest kind of a question."""
        presence = np.zeros(len(self.words), dtype=np.int64)
        presence[[self.words[word] for word in _words_of(question) if word in self.words]] = 1
        scores = self.log_probabilities[:, np.arange(len(presence)), presence].sum(axis=1)
        return self.kinds[int(scores.argmax())]

    def method(self, question: str) -> Method:
        """How to answer a question."""
        return self.methods[self.kind(question)]


def _words_of(question: str) -> set[str]:
    """The words of a question without names and numbers, which do not depend on its kind."""
    return set(_plain_words(question))


def _plain_words(question: str) -> Iterator[str]:
    first = True
    for word in re.findall(r"\w+", question):
        if first or word.islower():
            yield word.lower()
        first = False
