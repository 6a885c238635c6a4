"""Answers to questions about public figures: the first line of the generated text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from rich.console import Console
from rich.progress import track

from physlm.data.public.corpus import PublicFiguresCorpus
from physlm.data.public.questions import Question, conclusion
from physlm.eval.generate import generate
from physlm.eval.public.questions import Asked, Hint
from physlm.eval.sampling import Sampling
from physlm.models.answering import in_batches
from physlm.models.language_model import LanguageModel
from physlm.watching import tell


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers to the questions of one task.

    Attributes:
        asked: What was asked, and how.
        questions: The questions.
        lines: The first line of each answer; None if the model was cut off while reasoning.
    """

    asked: Asked
    questions: Sequence[Question]
    lines: Sequence[str | None]

    @property
    def is_right(self) -> Bool[np.ndarray, " questions"]:
        """Whether each answer is correct."""
        return np.array(
            [
                answer is not None and self.asked.task.is_right(question, answer)
                for question, answer in zip(self.questions, self.answers, strict=True)
            ]
        )

    @property
    def answers(self) -> list[str | None]:
        """The lines, without the hints that were written before the answers."""
        if self.asked.hint is not Hint.written:
            return list(self.lines)
        return [None if line is None else conclusion(line)[1] for line in self.lines]

    @property
    def is_cut_off(self) -> Bool[np.ndarray, " questions"]:
        """Whether the model was cut off while reasoning."""
        return np.array([line is None for line in self.lines])


def answered(
    model: LanguageModel,
    known: PublicFiguresCorpus,
    asked: Asked,
    *,
    batch_size: int,
    max_new_tokens: int,
) -> Answered:
    """The answers of a model.

    Args:
        model: A physlm model, or one that answers in text.
        known: The corpus, whose vocabulary a physlm model reads.
        asked: What is asked, and how.
        batch_size: Questions per batch.
        max_new_tokens: Maximum length of an answer.
    """
    prompts = asked.prompts
    if model.answering is not None:
        answers = model.answering.answers_of(
            prompts, max_tokens=max_new_tokens, batch_size=batch_size
        )
    else:
        answers = _generated(model, known, prompts, max_new_tokens, batch_size)
    lines: list[str | None] = [None] * len(prompts)
    console = Console(stderr=True)
    label = f"asking {asked.label}"
    for number, text in track(answers, label, len(prompts), console=console, transient=True):
        lines[number] = None if text is None else text.strip().partition("\n")[0]
    found = Answered(asked, asked.questions, lines)
    if found.is_cut_off.any():
        tell(
            f"{asked.label}: {found.is_cut_off.sum()} of {len(lines)} answers were cut off while "
            "reasoning and count as wrong; raise eval.public_figures.max_new_tokens"
        )
    return found


def _generated(
    model: LanguageModel,
    known: PublicFiguresCorpus,
    prompts: Sequence[str],
    max_new_tokens: int,
    batch_size: int,
) -> Iterator[tuple[int, str | None]]:
    vocabulary = known.vocabulary
    sampling = Sampling(
        max_new_tokens=max_new_tokens, eos=vocabulary.eos, temperature=0.0, batch_size=batch_size
    )
    for batch in in_batches(prompts, batch_size):
        encoded = [np.append(vocabulary.eos, vocabulary.encode(prompt)) for _, prompt in batch]
        generated = generate(model, encoded, sampling, seed=0)
        for (number, _), tokens in zip(batch, generated.tokens, strict=True):
            yield number, vocabulary.decode(tokens)
