"""The hybrid system of a model that answers questions about people, and its calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import Task
from physlm.eval.splits import TRAIN_PEOPLE
from physlm.eval.tasks.questions import (
    accepted_answers,
    most_common,
    most_new_tokens,
    questions_of,
    splits,
)
from physlm.hybrid.database import Database
from physlm.hybrid.hybrid import Hybrid, HybridAnswer
from physlm.hybrid.router import Method, Router
from physlm.models.language_model import LanguageModel


class Asked(NamedTuple):
    """Questions of one task.

    Attributes:
        task: Its name.
        texts: The questions.
        accepted: The correct answers to each.
        chance: The most common answer in training, whose accuracy is that of chance.
    """

    task: str
    texts: list[str]
    accepted: list[set[str]]
    chance: str

    def first(self, n_most: int) -> "Asked":
        """The first questions alone."""
        return self._replace(texts=self.texts[:n_most], accepted=self.accepted[:n_most])

    def are_right(self, answers: Sequence[HybridAnswer]) -> np.ndarray:
        """Whether each answer is correct."""
        pairs = zip(answers, self.accepted, strict=True)
        return np.array([answer.text in right for answer, right in pairs])


@dataclass(frozen=True)
class Calibrated:
    """A hybrid system, and the questions that it was not calibrated on.

    Attributes:
        hybrid: The system.
        tested: Questions of each task about the other half of the held-out people.
    """

    hybrid: Hybrid
    tested: tuple[Asked, ...]


def calibrated(
    model: LanguageModel,
    corpus: ManipulationCorpus,
    *,
    max_questions: int,
    batch_size: int,
    path: Path | None = None,
) -> Calibrated:
    """The system of a model and of the texts that it was trained on.

    The router learns the kinds of questions from the words of training questions. The method of
    each kind is the most accurate one on every other held-out person. Train people would not do,
    since the model has memorised their answers.

    Args:
        model: Answers questions of the corpus.
        corpus: The questions, and the people whose biographies the database gets.
        max_questions: Most questions of each task, to calibrate on and to test on.
        batch_size: Questions answered at once.
        path: A new file for the database; None keeps it in memory.
    """
    trained = [
        _asked(task, corpus, corpus.train, TRAIN_PEOPLE, max_questions) for task in corpus.tasks
    ]
    texts, kinds = zip(*((text, own.task) for own in trained for text in own.texts), strict=True)
    hybrid = Hybrid(
        model=model,
        vocabulary=corpus.vocabulary,
        database=database_of(corpus.world, path),
        router=Router.fitted(texts, kinds, {own.task: {} for own in trained}),
        values={own.task: frozenset(set().union(*own.accepted)) for own in trained},
        max_new_tokens=max(
            most_new_tokens(task, corpus, writes_hint=True) for task in corpus.tasks
        ),
        batch_size=batch_size,
    )
    halves = [_halves(task, corpus, max_questions) for task in corpus.tasks]
    accuracies = {own.task: _accuracies(hybrid, own) for own, _ in halves}
    router = Router.fitted(texts, kinds, accuracies)
    return Calibrated(replace(hybrid, router=router), tuple(tested for _, tested in halves))


def database_of(world: KnowledgeCorpus, path: Path | None = None) -> Database:
    """The biographies of the first epoch, each with the full name of its person as title."""
    documents, names = world.epoch(0, 0, world.n_documents), world.full_names()
    texts = np.split(documents.tokens, documents.starts[1:-1])
    return Database.of(
        (
            (names[person], world.vocabulary.decode(tokens[1:]).strip())
            for person, tokens in zip(documents.people.tolist(), texts, strict=True)
        ),
        path,
    )


def _halves(task: Task, corpus: ManipulationCorpus, n_most: int) -> tuple[Asked, Asked]:
    """Questions about every other held-out person, and about the rest."""
    _, (split, people) = splits(task, corpus)
    return (
        _asked(task, corpus, people[::2], split, n_most),
        _asked(task, corpus, people[1::2], split, n_most),
    )


def _asked(
    task: Task,
    corpus: ManipulationCorpus,
    people: Int64[np.ndarray, " people"],
    split: str,
    n_most: int,
) -> Asked:
    items = questions_of(task, corpus, people, split, n_most)
    right = accepted_answers(task, corpus, items)
    return Asked(task.name, corpus.texts(items.question), right, most_common(task, corpus))


def _accuracies(hybrid: Hybrid, asked: Asked) -> Mapping[Method, float]:
    return {
        method: float(asked.are_right(hybrid.answers(asked.texts, method)).mean())
        for method in Method
    }
