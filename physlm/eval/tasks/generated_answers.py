"""Answers of Brevo as a model generates them, judged by the task."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from physlm.data.corpus import Documents
from physlm.data.tasks.brevo import Brevo, Question
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel


class GeneratedAnswers(NamedTuple):
    """One generated answer for each document.

    Attributes:
        is_right: Whether it is a topological order of all ancestors, and ended in time.
        is_first_right: Whether it begins with an ancestor that has no parents.
        is_unfinished: Whether it did not end within twice the length of the document's own answer.
        depth: Edges from the query to the nearest source.
    """

    is_right: Bool[np.ndarray, " answers"]
    is_first_right: Bool[np.ndarray, " answers"]
    is_unfinished: Bool[np.ndarray, " answers"]
    depth: Int64[np.ndarray, " answers"]


def generated_answers(
    model: LanguageModel, task: Brevo, documents: Documents, batch_size: int
) -> GeneratedAnswers:
    """Generate an answer to each document's question, greedily.

    Args:
        model: The model.
        task: The task.
        documents: Whole documents.
        batch_size: Answers generated at once.
    """
    texts = np.split(documents.tokens, documents.starts[1:-1])
    ends = [int((text == task.mark("<ans>")).argmax()) + 1 for text in texts]
    prompts = [text[:end] for text, end in zip(texts, ends, strict=True)]
    limits = np.array([2 * (len(text) - end) for text, end in zip(texts, ends, strict=True)])
    sampling = Sampling(
        max_new_tokens=int(limits.max()),
        eos=task.end,
        temperature=0.0,
        batch_size=batch_size,
        is_compiled=model.device.type == "cuda",
    )
    generated = generate(model, prompts, sampling, seed=0)
    lengths = np.array([len(tokens) + 1 for tokens in generated.tokens])
    is_unfinished = ~generated.is_ended | (lengths > limits)
    answers = [np.append(tokens, task.end) for tokens in generated.tokens]
    questions = [task.question(prompt) for prompt in prompts]
    is_accepted = [task.check(p, a) for p, a in zip(prompts, answers, strict=True)]
    is_first = [_is_first_right(task, q, a) for q, a in zip(questions, answers, strict=True)]
    return GeneratedAnswers(
        np.array(is_accepted) & ~is_unfinished,
        np.array(is_first),
        is_unfinished,
        np.array([question.depth for question in questions]),
    )


def _is_first_right(task: Brevo, question: Question, answer: np.ndarray) -> bool:
    """Whether the first name of an answer, whatever follows, is a source among the ancestors."""
    is_last = (answer >= task.law.last) & (answer < task.law.last + task.law.n_symbols)
    if not is_last.any():
        return False
    first = tuple(answer[: int(is_last.argmax()) + 1].tolist())
    return first in question.answer and first not in question.parents
