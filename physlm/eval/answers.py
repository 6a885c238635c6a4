"""Greedily decoded answers to questions, and the baseline of always giving one answer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from physlm.data.tokens import Vocabulary
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel


class Answer(NamedTuple):
    """A decoded answer.

    Attributes:
        text: The text, without surrounding spaces.
        is_ended: Whether the model ended it; else it was cut at the maximum length.
    """

    text: str
    is_ended: bool

    def matches(self, accepted: set[str]) -> bool:
        """Exact match: the answer is ended, and is one of the accepted texts."""
        return self.is_ended and self.text in accepted


def greedy_answers(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompts: Sequence[np.ndarray],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[Answer]:
    """The model's greedily decoded answer to each prompt.

    Args:
        model: The model that answers.
        vocabulary: Vocabulary of prompts and answers.
        prompts: Token ids of each question.
        max_new_tokens: Maximum length of an answer, including its end.
        batch_size: Questions per batch.
    """
    sampling = Sampling(
        max_new_tokens=max_new_tokens,
        eos=vocabulary.eos,
        temperature=0.0,
        batch_size=batch_size,
        is_compiled=model.device.type == "cuda",
    )
    generated = generate(model, prompts, sampling, seed=0)
    texts = [vocabulary.decode(tokens).strip() for tokens in generated.tokens]
    return [Answer(t, bool(e)) for t, e in zip(texts, generated.is_ended, strict=True)]


def most_common_answer(answers: Iterable[str]) -> str:
    """The answer that occurs most often; of several, the first one."""
    return Counter(answers).most_common(1)[0][0]
