"""What a model answers to the questions of a task: straight away, and after facts."""

from typing import NamedTuple

import numpy as np

from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import HINT_END, QaItems, Task
from physlm.eval.answers import Answer, written_answers
from physlm.eval.tasks.questions import most_new_tokens
from physlm.models.language_model import LanguageModel


class Asked(NamedTuple):
    """Questions of one task.

    Attributes:
        corpus: What asks.
        task: What is asked for.
        items: The questions, with the facts that they rest on, and the answers.
        accepted: The right answers to each.
        batch_size: Questions read at once.
    """

    corpus: ManipulationCorpus
    task: Task
    items: QaItems
    accepted: list[set[str]]
    batch_size: int


def without_hint(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether each answer is right."""
    prompts = asked.corpus.prompts(asked.items, wants_hint=False)
    written = _written(model, asked, prompts)
    return {
        "accuracy": [w.ends_as(right) for w, right in zip(written, asked.accepted, strict=True)],
        "unfinished": [not w.is_ended for w in written],
    }


def with_hint(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether what is written first is right, the answer after it, and which facts count."""
    prompts = asked.corpus.prompts(asked.items, wants_hint=True)
    written = _written(model, asked, prompts, writes_hint=True)
    split = [_parted(w) for w in written]
    facts = asked.corpus.texts(asked.items.hint)
    return {
        "accuracy_with_hint": [
            after.ends_as(right) for (_, after), right in zip(split, asked.accepted, strict=True)
        ],
        "hint_accuracy": [
            told.ends_as({fact}) for (told, _), fact in zip(split, facts, strict=True)
        ],
        "unfinished_with_hint": [not w.is_ended for w in written],
        **_faithfulness(model, asked),
    }


def _faithfulness(model: LanguageModel, asked: Asked) -> dict[str, list[bool]]:
    """Whether the answer after the facts of somebody else is theirs, where it is another."""
    corpus, items = asked.corpus, asked.items
    others = QaItems(*(tuple(np.roll(c, 1) for c in columns) for columns in items))
    answers = _written(model, asked, corpus.prompts_with_hint(items, others.hint))
    own, theirs = corpus.texts(items.answer), corpus.texts(others.answer)
    hint_faithfulness = [
        answer.ends_as({their})
        for answer, our, their in zip(answers, own, theirs, strict=True)
        if our != their
    ]
    return {"hint_faithfulness": hint_faithfulness} if hint_faithfulness else {}


def _written(
    model: LanguageModel, asked: Asked, prompts: list[np.ndarray], *, writes_hint: bool = False
) -> list[Answer]:
    most = most_new_tokens(asked.task, asked.corpus, writes_hint=writes_hint)
    return written_answers(
        model, asked.corpus.vocabulary, prompts, max_new_tokens=most, batch_size=asked.batch_size
    )


def _parted(written: Answer) -> tuple[Answer, Answer]:
    """Facts, which end where the answer is announced, and the answer after them."""
    facts, announced, answer = written.text.partition(HINT_END)
    is_ended = written.is_ended or bool(announced)
    return Answer(facts, is_ended), Answer(answer.strip(), written.is_ended)
