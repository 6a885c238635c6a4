"""A problem with a solution as tokens: where it can be cut, and what is known there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from physlm.data.tasks.igsm.language import (
    ANSWER,
    HOW,
    QUESTION_MARK,
    SOLUTION,
    STOP,
    words_of_tokens,
)
from physlm.data.tasks.igsm.parameter import Parameter
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.problem_reading import problem_of
from physlm.data.tasks.igsm.solution_reading import Sentence, read_solution


@dataclass(frozen=True, eq=False)
class SolvedProblem:
    """A document with a problem and a solution, its own or one that a model has written.

    Attributes:
        tokens: The document.
        is_ended: Whether it has ended; what a model writes may be cut.
    """

    tokens: Int[np.ndarray, " tokens"]
    is_ended: bool = True

    @cached_property
    def problem(self) -> Problem:
        """The problem, with the solution as a text."""
        return problem_of(words_of_tokens(self.tokens.tolist()))

    @cached_property
    def sentences(self) -> tuple[Sentence | str, ...]:
        """The finished sentences of the solution, as text where one does not parse."""
        return read_solution(self.problem.solution).sentences[: len(self._ends) - 1]

    @property
    def n_sentences(self) -> int:
        """Number of finished sentences."""
        return len(self.sentences)

    @cached_property
    def statement(self) -> Int[np.ndarray, " _statement"]:
        """Problem and question, in their order."""
        return self.tokens[: self._solution]

    @cached_property
    def unasked(self) -> Int[np.ndarray, " _unasked"]:
        """The problem without its question."""
        first = int((self.tokens == HOW).argmax())
        last = int((self.tokens == QUESTION_MARK).argmax())
        return np.concatenate((self.tokens[:first], self.tokens[last + 1 : self._solution]))

    def up_to(self, n_sentences: int) -> Int[np.ndarray, " _prefix"]:
        """Everything up to the mark of the solution and some of its sentences."""
        return self.tokens[: self._ends[n_sentences]]

    def known(self, n_sentences: int) -> frozenset[Parameter]:
        """The parameters that the first sentences define."""
        return self._known[n_sentences]

    @cached_property
    def defined(self) -> tuple[Parameter | None, ...]:
        """The parameter that each sentence defines; None where the problem has none of its name."""
        named = {parameter.name: parameter for parameter in self.problem.dependencies}
        return tuple(
            None if isinstance(sentence, str) or sentence.is_back else named.get(sentence.name)
            for sentence in self.sentences
        )

    def steps(self, first: int = 0) -> Iterator[tuple[int, Parameter]]:
        """The parameter that each sentence from one on defines, with the number of the sentence.

        Sentences that take a parameter back are passed over; the first that defines none ends them.
        """
        for n in range(first, self.n_sentences):
            sentence, parameter = self.sentences[n], self.defined[n]
            if parameter is not None:
                yield n, parameter
            elif isinstance(sentence, str) or not sentence.is_back:
                return

    @cached_property
    def dependencies(self) -> dict[Parameter, frozenset[Parameter]]:
        """All that each parameter depends on, directly or not."""
        found: dict[Parameter, frozenset[Parameter]] = {}
        for parameter in self.problem.values:  # parents come first
            parents = self.problem.dependencies[parameter]
            found[parameter] = frozenset(parents).union(*(found[parent] for parent in parents))
        return found

    @cached_property
    def distances(self) -> dict[Parameter, int]:
        """Edges of the dependency graph from the question to each parameter that it needs."""
        found = {self.problem.query: 0}
        for parameter in (waiting := [self.problem.query]):
            for parent in self.problem.dependencies[parameter]:
                if parent not in found:
                    found[parent] = found[parameter] + 1
                    waiting.append(parent)
        return found

    @cached_property
    def _solution(self) -> int:
        return int((self.tokens == SOLUTION).argmax())

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """Ends of the mark of the solution and of each sentence."""
        own = self.tokens[self._solution :]
        is_answer = own == ANSWER
        own = own[: int(is_answer.argmax())] if is_answer.any() else own
        stops = self._solution + np.flatnonzero(own == STOP) + 1
        return (self._solution + 1, *stops.tolist())

    @cached_property
    def _known(self) -> tuple[frozenset[Parameter], ...]:
        found = [frozenset[Parameter]()]
        for parameter in self.defined:
            found.append(found[-1] if parameter is None else found[-1] | {parameter})
        return tuple(found)
