"""Questions of manipulation tasks, their accepted answers, and the lengths of both."""

from collections import defaultdict

import numpy as np
from jaxtyping import Int64

from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import QaItems, Task
from physlm.eval.answers import most_common_answer
from physlm.eval.scorer import sample
from physlm.eval.splits import HELD_OUT_PEOPLE, STREAMS, TRAIN_PEOPLE
from physlm.rng import stream

_MAX_AROUND = 8  # tokens of the words around a hint, and the end of text, at most


def splits(
    task: Task, corpus: ManipulationCorpus
) -> tuple[tuple[str, Int64[np.ndarray, " people"]], ...]:
    """The people that the questions of each split are about."""
    return (TRAIN_PEOPLE, corpus.train), (HELD_OUT_PEOPLE, _held_out(task, corpus))


def questions_of(
    task: Task,
    corpus: ManipulationCorpus,
    people: Int64[np.ndarray, " people"],
    split: str,
    n_most: int,
) -> QaItems:
    """All distinct questions about the people of a split, or a fixed sample of them.

    Args:
        task: The task.
        corpus: The corpus of the tasks.
        people: People of the split.
        split: Name of the split.
        n_most: Maximum number of questions.
    """
    rng = stream(corpus.world.seed, "questions measured", task.stream, STREAMS[split])
    about = sample(task.distinct(corpus.fact_table, people), n_most, rng)
    return task.ask(corpus.fact_table, _with_others(about, task.n_people, rng))


def accepted_answers(task: Task, corpus: ManipulationCorpus, items: QaItems) -> list[set[str]]:
    """The correct answers to each question: of all people that it fits, where several do."""
    answers = corpus.texts(items.answer)
    if not task.may_fit_several:
        return [{answer} for answer in answers]
    found = defaultdict(set)
    every = _of_all_people(task, corpus)
    for question, answer in zip(
        corpus.texts(every.question), corpus.texts(every.answer), strict=True
    ):
        found[question].add(answer)
    return [found[question] for question in corpus.texts(items.question)]


def most_common(task: Task, corpus: ManipulationCorpus) -> str:
    """The most common answer of the training set."""
    rng = stream(corpus.world.seed, "questions counted", task.stream)
    people = _with_others(corpus.train, task.n_people, rng)
    return most_common_answer(corpus.texts(task.ask(corpus.fact_table, people).answer))


def most_new_tokens(task: Task, corpus: ManipulationCorpus, *, writes_hint: bool) -> int:
    """A length that no correct answer reaches, even after a hint of twice the usual length.

    It is computed over all people, not over the measured ones, since the answer of another person
    may be accepted as well.
    """
    every = _of_all_people(task, corpus)
    n_hint, n_answer = corpus.longest(every.hint), corpus.longest(every.answer)
    # A hint in the prompt still counts once here: a margin for superfluous tokens.
    return (1 + writes_hint) * n_hint + n_answer + _MAX_AROUND


def longest_prompt(task: Task, corpus: ManipulationCorpus) -> int:
    """Tokens of the longest prompt."""
    # Each person is paired with themselves: the longest name then occurs twice in one prompt.
    people = np.arange(corpus.fact_table.n_people)
    items = task.ask(corpus.fact_table, np.stack([people] * task.n_people, axis=1))
    prompts = corpus.prompts(items, wants_hint=False)
    if corpus.config.hint_fraction and items.hint:
        prompts = corpus.prompts_with_hint(items, items.hint)
    return max(map(len, prompts))


def _held_out(task: Task, corpus: ManipulationCorpus) -> Int64[np.ndarray, " people"]:
    """Held-out people, without those whose question also fits a train person."""
    if not task.may_fit_several:
        return corpus.test
    trained, tested = (
        corpus.texts(task.ask(corpus.fact_table, people[:, None]).question)
        for people in (corpus.train, corpus.test)
    )
    return corpus.test[~np.isin(tested, trained)]


def _of_all_people(task: Task, corpus: ManipulationCorpus) -> QaItems:
    """A question about each person, compared with the next person where the task needs two."""
    people = np.arange(corpus.fact_table.n_people)
    both = np.stack([people, np.roll(people, 1)], axis=1)
    return task.ask(corpus.fact_table, both[:, : task.n_people])


def _with_others(
    people: Int64[np.ndarray, " questions"], n_people: int, rng: np.random.Generator
) -> Int64[np.ndarray, "questions people"]:
    """Each person paired with a random other one, if the task needs two."""
    if n_people == 1:
        return people[:, None]
    n = len(people)
    others = people[(np.arange(n) + rng.integers(1, n, n)) % n]
    return np.stack([people, others], axis=1)
