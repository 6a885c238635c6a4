"""Few-shot questions with options, and their controls."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from physlm.data.corpus import require_at_least
from physlm.data.files.option_formats import OptionFormat, questions_of
from physlm.data.files.option_question import OptionQuestion
from physlm.data.files.prompt_corpus import PromptCorpus, PromptCorpusConfig
from physlm.data.files.texts import source_file
from physlm.errors import InputError
from physlm.registry import register
from physlm.rng import stream


class Control(str, Enum):
    """What a prompt controls for."""

    none = "none"  # the question itself
    permuted = "permuted"  # other letters: does the model choose by content?
    empty = "empty"  # no content: what it prefers before it reads the question


class OptionsPrompt(NamedTuple):
    """A prompt with the possible continuations.

    Attributes:
        text: Solved questions, and the question up to its answer.
        options: The continuations to choose from, each beginning with a space.
        answer: Number of the correct one.
        control: What the prompt controls for.
        question: Number of the question.
        subject: What it is about; empty if that is not known.
    """

    text: str
    options: tuple[str, ...]
    answer: int
    control: Control
    question: int
    subject: str


@register("data", "options")
@dataclass(kw_only=True, slots=True)
class OptionsConfig(PromptCorpusConfig):
    """Questions with options from a ``.json``, ``.jsonl``, ``.csv`` or ``.parquet`` file.

    Half of the questions are examples; each subject has enough of them for ``n_shots``. The shots
    of a question, which precede it with their answers, are drawn from the other examples of its
    subject. A lens may be fitted on examples; only the other questions are analysed. Where the
    prompt lists the options, each question is asked again with its options rotated among the
    letters. Each is also asked without its content, if the prompt has other text.
    """

    format: OptionFormat = OptionFormat.auto
    n_shots: int = 0  # solved questions before each question; MMLU is published with 4 and 5

    def validate(self) -> None:
        """Require every value in its range."""
        PromptCorpusConfig.validate(self)
        require_at_least(self, 0, "n_shots")

    def build(self, seed: int) -> "OptionsCorpus":
        """The questions of the file, with shots and controls drawn by a seed.

        Raises:
            InputError: If the file has another format, or too few questions for the shots.
        """
        path = source_file(self.source, "data=options")
        questions = questions_of(path, self.format)
        for subject, numbers in _by_subject(questions).items():
            if len(numbers) <= self.n_shots:
                about = f" about {subject}" if subject else ""
                raise InputError(
                    f"data.n_shots={self.n_shots}, but {path} has {len(numbers)} questions{about}; "
                    "lower it, or give more questions"
                )
        return OptionsCorpus(self, seed, questions)


@dataclass(frozen=True, eq=False, repr=False)
class OptionsCorpus(PromptCorpus):
    """Questions with options.

    Attributes:
        config: The configuration that it was built from.
        questions: The questions, in the order of their file.
    """

    config: OptionsConfig
    questions: tuple[OptionQuestion, ...]

    @cached_property
    def prompts(self) -> tuple[OptionsPrompt, ...]:
        """Each question and its controls, which have the same shots."""
        rng = stream(self.seed, "shifts of options")
        subjects, prompts = _by_subject(self.questions), []
        for number, question in enumerate(self.questions):
            asked = {Control.none: question, Control.empty: question.emptied()}
            if question.is_listed:
                asked[Control.permuted] = question.shifted(rng)
            shots = self._shots(number, subjects[question.subject])
            prompts += [_prompt(shots, c, number, q) for c, q in asked.items() if q.text]
        return tuple(prompts)

    @cached_property
    def is_example(self) -> Bool[np.ndarray, " questions"]:
        """Whether each question may be a shot of others; examples are not analysed."""
        n = len(self.questions)
        order = stream(self.seed, "examples of options").permutation(n)
        found = np.zeros(n, dtype=bool)
        found[order[: n // 2]] = True
        if self.config.n_shots:  # one more than the shots: no question is a shot of its own
            for numbers in _by_subject(self.questions).values():
                own = order[np.isin(order, numbers)]
                found[own[: self.config.n_shots + 1]] = True
        return found

    @property
    def entropy_bits(self) -> float:
        """An upper bound, as if every option were equally likely."""
        return sum(math.log2(len(question.options)) for question in self.questions)

    def _content(self) -> object:
        return [tuple(prompt) for prompt in self.prompts]

    def _shots(self, number: int, same: Sequence[int]) -> list[str]:
        """Solved questions, among the examples of the same subject."""
        others = np.array([i for i in same if i != number and self.is_example[i]], dtype=np.int64)
        rng = stream(self.seed, "shots", number)
        drawn = rng.permutation(others)[: self.config.n_shots]
        return [self.questions[i].solved for i in drawn]


def _prompt(
    shots: Sequence[str], control: Control, number: int, question: OptionQuestion
) -> OptionsPrompt:
    text = "\n\n".join([*shots, question.text])
    return OptionsPrompt(text, question.words, question.answer, control, number, question.subject)


def _by_subject(questions: Sequence[OptionQuestion]) -> dict[str, list[int]]:
    """The numbers of the questions about each subject."""
    found = defaultdict(list)
    for number, question in enumerate(questions):
        found[question.subject].append(number)
    return dict(found)
