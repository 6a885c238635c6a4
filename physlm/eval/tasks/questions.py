"""The questions of manipulation tasks, the answers that are right, and how long both may be."""

from collections import Counter, defaultdict

import numpy as np
from jaxtyping import Int64

from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import QaItems, Task
from physlm.eval.people.splits import IN, OUT
from physlm.eval.scorer import sample
from physlm.rng import stream

_AROUND = 8  # tokens at most of the words around facts, and the end


def splits(
    task: Task, asked: ManipulationCorpus
) -> tuple[tuple[str, Int64[np.ndarray, " people"]], ...]:
    """Whom questions of each split are about."""
    return (IN, asked.train), (OUT, _unasked(task, asked))


def questions_of(
    task: Task,
    asked: ManipulationCorpus,
    people: Int64[np.ndarray, " people"],
    split: str,
    n_most: int,
) -> QaItems:
    """Distinct questions about the people of a split, or a sample drawn once.

    Args:
        task: What is asked for.
        asked: The corpus that asks.
        people: Those of the split.
        split: Its name.
        n_most: Questions that are asked at most.
    """
    rng = stream(asked.world.seed, "questions measured", task.name, split)
    about = sample(task.distinct(asked.fact_table, people), n_most, rng)
    return task.ask(asked.fact_table, _with_others(about, task.n_people, rng))


def accepted(task: Task, asked: ManipulationCorpus, items: QaItems) -> list[set[str]]:
    """The answers to each question; where several people fit it, those of all of them."""
    answers = asked.texts(items.answer)
    if not task.may_fit_several:
        return [{answer} for answer in answers]
    fitting = defaultdict(set)
    everyone = _everyone(task, asked)
    for question, answer in zip(
        asked.texts(everyone.question), asked.texts(everyone.answer), strict=True
    ):
        fitting[question].add(answer)
    return [fitting[question] for question in asked.texts(items.question)]


def commonest(task: Task, asked: ManipulationCorpus) -> str:
    """The answer that is right most often in training."""
    rng = stream(asked.world.seed, "questions counted", task.name)
    people = _with_others(asked.train, task.n_people, rng)
    answers = Counter(asked.texts(task.ask(asked.fact_table, people).answer))
    return answers.most_common(1)[0][0]


def most_new_tokens(task: Task, asked: ManipulationCorpus, *, writes_hint: bool) -> int:
    """A limit that no right answer reaches, not even one after facts that are much too long.

    It is of everyone, not of those measured: another person's answer may be right as well.
    """
    everyone = _everyone(task, asked)
    n_facts, n_answer = asked.longest(everyone.hint), asked.longest(everyone.answer)
    # Facts that are told have left their room to the tokens that a model may waste.
    return (1 + writes_hint) * n_facts + n_answer + _AROUND


def longest_prompt(task: Task, asked: ManipulationCorpus) -> int:
    """Tokens of the longest text that a model is to go on with."""
    # In pairs of everyone with themselves, the longest names and facts stand together.
    people = np.arange(asked.fact_table.n_people)
    items = task.ask(asked.fact_table, np.stack([people] * task.n_people, axis=1))
    prompts = asked.prompts(items, wants_hint=False)
    if asked.config.hint_fraction and items.hint:
        prompts = asked.prompts_with_hint(items, items.hint)
    return max(map(len, prompts))


def _unasked(task: Task, asked: ManipulationCorpus) -> Int64[np.ndarray, " people"]:
    """People of the tests, but those whose question training asks, too, of somebody like them."""
    if not task.may_fit_several:
        return asked.test
    trained, tested = (
        asked.texts(task.ask(asked.fact_table, people[:, None]).question)
        for people in (asked.train, asked.test)
    )
    return asked.test[~np.isin(tested, trained)]


def _everyone(task: Task, asked: ManipulationCorpus) -> QaItems:
    """A question about everyone, for a comparison with the next one."""
    people = np.arange(asked.fact_table.n_people)
    both = np.stack([people, np.roll(people, 1)], axis=1)
    return task.ask(asked.fact_table, both[:, : task.n_people])


def _with_others(
    people: Int64[np.ndarray, " questions"], n_people: int, rng: np.random.Generator
) -> Int64[np.ndarray, "questions people"]:
    """Each with another one of them."""
    if n_people == 1:
        return people[:, None]
    n = len(people)
    others = people[(np.arange(n) + rng.integers(1, n, n)) % n]
    return np.stack([people, others], axis=1)
