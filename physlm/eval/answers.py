"""Answers that a model writes: decoded greedily, to their end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from physlm.data.tokens import Vocabulary
from physlm.eval.generate import Sampling, generate
from physlm.models.language_model import LanguageModel


class Answer(NamedTuple):
    """A text, and whether it came to an end before it was cut."""

    text: str
    is_ended: bool

    def ends_as(self, right: set[str]) -> bool:
        """Whether it is one of the right texts, to its end."""
        return self.is_ended and self.text in right


def written_answers(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompts: Sequence[np.ndarray],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[Answer]:
    """What the model writes after each prompt.

    Args:
        model: What answers.
        vocabulary: Of prompts and answers.
        prompts: Token ids of each question.
        max_new_tokens: Where an answer is cut, its end included.
        batch_size: Questions read at once.
    """
    sampling = Sampling(
        max_new_tokens=max_new_tokens,
        eos=vocabulary.eos,
        temperature=0.0,
        batch_size=batch_size,
        is_compiled=model.device.type == "cuda",
    )
    written = generate(model, prompts, sampling, seed=0)
    texts = [vocabulary.decode(tokens).strip() for tokens in written.tokens]
    return [Answer(t, bool(e)) for t, e in zip(texts, written.is_ended, strict=True)]
