"""Solutions that a model writes, with the verdict of the checker on each."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from physlm.data.tasks.igsm.checker import check
from physlm.data.tasks.igsm.language import text_of, words_of_tokens
from physlm.data.tasks.igsm.solution_reading import Solution, read_solution
from physlm.data.tasks.igsm.verdict import Fault, Verdict
from physlm.eval.beam_search import beam_search
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.eval.tasks.igsm.problem_sets import ProblemSet, Question
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.eval.tasks.igsm.igsm import IgsmScorerConfig

UNFINISHED = "unfinished"  # the fault of a text that is right as far as it goes


@dataclass(frozen=True)
class Written:
    """A solution that a model has written.

    Attributes:
        question: What it was asked.
        text: What it wrote.
        is_ended: Whether it ended the text; else it was cut at the largest length.
    """

    question: Question
    text: str
    is_ended: bool

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict of the checker."""
        return check(self.question.problem, self.text)

    @cached_property
    def solution(self) -> Solution:
        """The sentences and the answer."""
        return read_solution(self.text)

    @property
    def is_right(self) -> bool:
        """Whether it ended, and nothing is wrong."""
        return self.is_ended and self.verdict.is_right

    @property
    def has_right_answer(self) -> bool:
        """Whether it ended, and its number is the right one, whatever comes before."""
        return self.is_ended and self.solution.answer == self.question.problem.answer

    @property
    def fault(self) -> Fault | None:
        """The first fault; None for a text without one, which may be unfinished."""
        return self.verdict.faults[0] if self.verdict.faults else None

    @property
    def fault_kind(self) -> str:
        """Kind of the first fault; empty for a right solution."""
        if self.fault is not None:
            return self.fault.kind.value
        return "" if self.is_ended else UNFINISHED

    def has(self, aspect: str) -> bool:
        """Whether it can be read, and has no fault of an aspect."""
        return self.verdict.format and bool(getattr(self.verdict, aspect))


def written_solutions(
    model: LanguageModel, asked: ProblemSet, config: "IgsmScorerConfig", *, eos: int
) -> list[Written]:
    """The model's solution of each problem of a set.

    Args:
        model: The model.
        asked: The problems.
        config: Number of beams, the largest length, and problems at once.
        eos: The token that ends a solution.
    """
    sampling = Sampling(
        max_new_tokens=most_new_tokens(asked, config.max_length_ratio),
        eos=eos,
        temperature=0.0 if config.n_beams == 1 else 1.0,
        batch_size=config.batch_size,
    )
    prompts = [question.prompt for question in asked.questions]
    if config.n_beams == 1:
        found = generate(model, prompts, sampling, seed=0)
    else:
        found = beam_search(model, prompts, sampling, n_beams=config.n_beams, seed=0)
    return [
        Written(question, text_of(words_of_tokens(tokens.tolist())), bool(is_ended))
        for question, tokens, is_ended in zip(
            asked.questions, found.tokens, found.is_ended, strict=True
        )
    ]


def most_new_tokens(asked: ProblemSet, ratio: float) -> int:
    """The largest length of a solution of a set, its end included."""
    return math.ceil(ratio * max(question.longest for question in asked.questions)) + 1


def asked_at_once(
    model: LanguageModel, questions: list[Question], n_given: int, answer_mark: int, batch_size: int
) -> np.ndarray:
    """The token that the model writes after some true sentences and the mark of the answer.

    Args:
        model: The model.
        questions: Problems whose solutions have at least ``n_given`` sentences.
        n_given: Sentences of the solution that are given.
        answer_mark: The token that the answer follows.
        batch_size: Problems at once.
    """
    prompts = [
        np.array([*question.prompt, *question.sentences(n_given), answer_mark])
        for question in questions
    ]
    sampling = Sampling(max_new_tokens=1, temperature=0.0, batch_size=batch_size)
    return np.concatenate(generate(model, prompts, sampling, seed=0).tokens)
