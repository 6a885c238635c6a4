"""A synthetic task: documents of an exact distribution, with answers that can be checked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from physlm.data.corpus import Documents
from physlm.data.tokens import TokenizerName, Vocabulary

Difficulty = Mapping[str, int]


class Evaluation(NamedTuple):
    """One set of documents to measure a model on.

    Attributes:
        difficulty: What is fixed in all of its documents.
        dims: The part of it that distinguishes the task's sets, as dimensions of metrics.
    """

    difficulty: Difficulty
    dims: Difficulty


@dataclass(frozen=True)
class SyntheticTask(ABC):
    """Documents whose answers follow from what precedes them.

    Document i of a key is a function of the two alone. A document begins with the vocabulary's
    ``eos``, which serves as ``bos``. An answer is a run of words after a mark such as ``<ans>``.
    """

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The words of names, values and answers; token i is word i."""

    @property
    @abstractmethod
    def marks(self) -> tuple[str, ...]:
        """All other tokens, such as ``<ans>``, whose ids follow those of the words."""

    @property
    @abstractmethod
    def answer_marks(self) -> tuple[str, ...]:
        """The marks that an answer follows."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Tokens of the longest document that can be drawn."""

    @property
    @abstractmethod
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The numbers that can be fixed in documents, each with its smallest and largest value."""

    @property
    @abstractmethod
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The sets to measure a model on, at the largest size."""

    @abstractmethod
    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key.

        Args:
            key: Key of the random streams.
            first: Number of the first document.
            last: Number of the last document, exclusive.
            difficulty: What is fixed in all of them; the rest is drawn.
        """

    @abstractmethod
    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether an answer is right.

        Args:
            prompt: A document up to the mark that the answer follows; with documents before it,
                the last one counts.
            answer: Tokens as generated.

        Raises:
            ValueError: If the prompt has another form.
        """

    @abstractmethod
    def chance(self, difficulty: Difficulty) -> float:
        """The best accuracy of answers that ignore the question."""

    def sample(self, rng: np.random.Generator, n: int, **difficulty: int) -> Documents:
        """Draw documents.

        Args:
            rng: Draws the key of their random streams.
            n: Number of documents.
            difficulty: What is fixed in all of them; see `difficulties`.

        Raises:
            ValueError: If the task has no such difficulty, or a value is out of its range.
        """
        for name, value in difficulty.items():
            if name not in self.difficulties:
                known = ", ".join(self.difficulties)
                raise ValueError(f"{name}={value}: no such difficulty; use one of {known}")
            low, high = self.difficulties[name]
            if not low <= value <= high:
                raise ValueError(f"{name}={value}; must be from {low} to {high}")
        return self.numbered(int(rng.integers(2**64, dtype=np.uint64)), 0, n, difficulty)

    @property
    def identity(self) -> str:
        """Its class and values as text, without fields marked LATER that have their default."""
        values = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if not ("later" in field.metadata and getattr(self, field.name) == field.default)
        ]
        return f"{type(self).__name__}({', '.join(values)})"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Words, marks, and ``bos`` as end-of-text."""
        texts = [f" {word}" for word in self.words]
        return Vocabulary.build(TokenizerName.compact, texts, self.marks)

    def mark(self, token: str) -> int:
        """The id of a mark."""
        return len(self.words) + self.marks.index(token)

    @property
    def bos(self) -> int:
        """The id of the token that begins every document."""
        return len(self.words) + len(self.marks)

    @property
    def begins(self) -> tuple[int, ...]:
        """The ids that a document may begin with."""
        return (self.bos,)

    def is_answer(self, tokens: Int32[np.ndarray, " tokens"]) -> Bool[np.ndarray, " tokens"]:
        """Which tokens of whole documents belong to an answer, without the mark before it."""
        is_mark = tokens >= len(self.words)
        opens = np.isin(np.arange(self.bos + 1), [self.mark(token) for token in self.answer_marks])
        # The last mark up to each token: a document begins with one, so none is of another document
        last = np.maximum.accumulate(np.where(is_mark, np.arange(len(tokens)), 0))
        found: np.ndarray = opens[tokens[last]] & ~is_mark
        return found

    def last_document(self, tokens: Int[np.ndarray, " tokens"]) -> Int[np.ndarray, " _own"]:
        """What follows the last ``bos``.

        Raises:
            ValueError: If there is none.
        """
        begins = np.flatnonzero(np.isin(tokens, self.begins))
        if not len(begins):
            raise ValueError("a prompt begins with the vocabulary's eos; add it")
        return tokens[begins[-1] + 1 :]


def require_prompt(task: SyntheticTask, prompt: Int[np.ndarray, " prompt"]) -> None:
    """Require tokens of the task, the last of which is the mark that an answer follows.

    Raises:
        ValueError: If the prompt has another form.
    """
    unknown = [token for token in np.asarray(prompt).tolist() if not 0 <= token <= task.bos]
    if unknown:
        raise ValueError(
            f"token {unknown[0]} of a prompt; must be from 0 to {task.bos}, as in the vocabulary"
        )
    ends = [task.mark(token) for token in task.answer_marks]
    if not len(prompt) or prompt[-1] not in ends:
        raise ValueError(f"a prompt ends with {' or '.join(task.answer_marks[:2])}; cut it there")
