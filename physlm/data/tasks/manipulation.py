"""Corpus of knowledge manipulation: questions about people, with and without a hint."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int32, Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import Corpus, DataConfig, Documents, require_at_least
from physlm.data.people.assembly import assemble
from physlm.data.people.fact_table import NUMBERS, Columns, FactTable
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.qa_split import (
    QaSplit,
    QaSplitConfig,
    people_of,
    require_held_out_people,
    train_people_of,
    trained_so_far,
)
from physlm.data.people.question_vocabulary import ANSWER, keys_for
from physlm.data.tasks.inverse import BornInYear
from physlm.data.tasks.manipulation_tasks import task_words, tasks
from physlm.data.tasks.task import HINT, HINT_END, QaItems, Task
from physlm.registry import register
from physlm.rng import stream


@register("data", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationConfig(QaSplitConfig):
    """Manipulation tasks on the people of an earlier run, each question once per epoch.

    A question ends with one of two words: ``Answer`` is followed by the answer, ``Facts`` by the
    hint and then the answer. People outside the training set are held out: no training question
    names them.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    kind: ClassVar = "manipulation"
    # Names of the manipulation tasks, such as birth_month_mod_2.
    tasks: list[str] = field(default_factory=lambda: ["birth_month_mod_2"])
    exposures: int = 100
    train_fraction: float = 0.5  # of the people (or birth years) are not held out
    n_train_people: int | None = None  # training people drawn from these; null: all
    hint_fraction: float = 0.0  # of training questions with a hint before the answer

    def validate(self) -> None:
        """Require known tasks, and fractions in range."""
        DataConfig.validate(self)
        if not self.tasks:
            raise ValueError(f"tasks=[]; name at least one of {', '.join(tasks())}")
        for name in self.tasks:
            if name not in tasks():
                raise ValueError(f"tasks: {name} is unknown; use some of {', '.join(tasks())}")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks={self.tasks}; name each once")
        by_year = [name for name in self.tasks if isinstance(tasks()[name], BornInYear)]
        if by_year and len(self.tasks) > 1:
            raise ValueError(
                f"tasks: {by_year[0]} splits years instead of people; make it the only task"
            )
        if by_year and self.hint_fraction:
            raise ValueError(f"tasks: {by_year[0]} has no hint; use hint_fraction=0")
        require_held_out_people(self.train_fraction)
        if self.n_train_people is not None:
            require_at_least(self, 2, "n_train_people")
        if not 0 <= self.hint_fraction <= 1:
            raise ValueError(f"hint_fraction={self.hint_fraction}; must be from 0 to 1")

    def follow(self, earlier: Corpus, seed: int) -> "ManipulationCorpus":
        """Questions about the people of an earlier corpus.

        Raises:
            ValueError: If it has no people, too few to split, or lacks the words of questions.
        """
        world = people_of(self.kind, earlier)
        fact_table = self._fact_table(world)
        corpus = ManipulationCorpus(world, trained_so_far(earlier, world), self, seed, fact_table)
        for split in (corpus.train, corpus.test):
            if len(split) < 2:
                raise ValueError(
                    f"train_fraction={self.train_fraction} of {world.n_people} people leaves fewer "
                    "than two to train or to test on; use more people or another fraction"
                )
        corpus.require_held_out()
        return corpus

    def _fact_table(self, world: KnowledgeCorpus) -> FactTable:
        """The facts of the world, as pieces for these tasks."""
        words = task_words(*(tasks()[name] for name in self.tasks))
        keys = keys_for([*words, *NUMBERS])
        try:
            return FactTable(world, words)
        except ValueError as error:
            raise ValueError(f"tasks={self.tasks}: {error}; pretrain with {keys}") from error


@dataclass(frozen=True, repr=False)
class ManipulationCorpus(QaSplit):
    """QA documents: end-of-text, a question, perhaps a hint, and the answer.

    Attributes:
        world: The people.
        config: Tasks, split and hints.
        seed: Seed of every epoch's order, pairs of people, and choice of questions with a hint.
        fact_table: Facts as pieces of text, from which questions are assembled.
    """

    config: ManipulationConfig
    seed: int
    fact_table: FactTable

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks."""
        return tuple(tasks()[name] for name in self.config.tasks)

    @cached_property
    def _is_not_held_out(self) -> Bool[np.ndarray, " people"]:
        """People who are not held out, by person or, if the task asks for years, by birth year."""
        fraction = self.config.train_fraction
        if isinstance(self.tasks[0], BornInYear):
            years = np.unique(self.fact_table.years)
            order = stream(self.world.seed, "year split").permutation(years)
            return np.isin(self.fact_table.years, order[: round(fraction * len(years))])
        return train_people_of(self.world, fraction)

    @cached_property
    def train(self) -> Int64[np.ndarray, " people"]:
        """Training people."""
        people = np.flatnonzero(self._is_not_held_out)
        # A prefix of one permutation: smaller training sets are subsets of larger ones.
        drawn = stream(self.world.seed, "people trained on").permutation(people)
        return np.sort(drawn[: self.config.n_train_people])

    @cached_property
    def test(self) -> Int64[np.ndarray, " people"]:
        """Held-out people."""
        return np.flatnonzero(self.is_held_out)

    @cached_property
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Training people: their questions are in the training set."""
        is_trained = np.zeros(self.world.n_people, dtype=bool)
        is_trained[self.train] = True
        return is_trained

    @property
    def is_held_out(self) -> Bool[np.ndarray, " people"]:
        """Held-out people: no training question names them."""
        return ~self._is_not_held_out

    @property
    def n_documents(self) -> int:
        """Questions in one epoch."""
        return len(self.train) * len(self.tasks)

    @property
    def n_epochs(self) -> int:
        """Times each question occurs in training."""
        return self.config.exposures

    def fingerprint(self) -> str:
        """SHA-256 over the world, the tasks, the split and the seed."""
        config = self.config
        content = (
            self.world.fingerprint(),
            config.tasks,
            config.train_fraction,
            config.n_train_people,
            config.hint_fraction,
            [task.texts() for task in self.tasks],
            self.seed,
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Questions ``first`` to ``last - 1`` of the epoch's shuffled order."""
        order, others, has_hint = _epoch_plan(
            self.seed, number, len(self.train), len(self.tasks), self.config.hint_fraction
        )
        order, others, has_hint = order[first:last], others[first:last], has_hint[first:last]
        people = np.stack([self.train[order // len(self.tasks)], self.train[others]], axis=1)
        assert self._is_not_held_out[people].all()  # no held-out person may get into training
        kinds = order % len(self.tasks)
        blocks = []
        for kind, task in enumerate(self.tasks):
            for form in (True, False):
                places = np.flatnonzero((kinds == kind) & (has_hint == form))
                items = task.ask(self.fact_table, people[places, : task.n_people])
                blocks.append((places, self._rows(items, has_hint=form)))
        width = max(block.shape[1] for _, block in blocks)
        rows = np.full((len(order), width), -1, dtype=np.int32)
        for places, block in blocks:
            rows[places, : block.shape[1]] = block
        return assemble(rows, self.fact_table.pieces, self.vocabulary.eos)

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Questions and answers of the first epoch, grouped by the first person of each."""
        documents = self.epoch(0, 0, self.n_documents)
        n = max(2, int(np.searchsorted(documents.starts[1:], n_tokens)) + 1)
        n = min(n, self.n_documents)
        config = self.config
        order, _, _ = _epoch_plan(
            self.seed, 0, len(self.train), len(self.tasks), config.hint_fraction
        )
        chosen = Documents(documents.tokens[: documents.starts[n]], documents.starts[: n + 1])
        people = self.train[order[:n] // len(self.tasks)]
        return AnnotatedDocuments(chosen, people, self.world.full_names())

    def prompts(self, items: QaItems, *, wants_hint: bool) -> list[np.ndarray]:
        """Questions up to the place of the answer, or of the hint before it."""
        rows = self._questions(items, HINT if wants_hint else ANSWER)
        return self._tokens(rows)

    def prompts_with_hint(self, items: QaItems, hint: Columns) -> list[np.ndarray]:
        """Questions followed by a given hint, which may belong to other people."""
        return self._tokens(self._with_hint(items, hint))

    def texts(self, columns: Columns) -> list[str]:
        """Questions, hints or answers as text."""
        pieces = self.fact_table.pieces.texts
        return [
            "".join(pieces[piece] for piece in row if piece >= 0).strip()
            for row in np.column_stack(columns).tolist()
        ]

    def longest(self, columns: Columns) -> int:
        """Number of tokens of the longest row of pieces."""
        return self.fact_table.pieces.most_tokens(np.column_stack(columns)) if columns else 0

    def _rows(self, items: QaItems, *, has_hint: bool) -> Int32[np.ndarray, "questions _"]:
        if not has_hint:
            return np.column_stack([self._questions(items, ANSWER), *items.answer])
        return np.column_stack([self._with_hint(items, items.hint), *items.answer])

    def _with_hint(self, items: QaItems, hint: Columns) -> Int32[np.ndarray, "questions _"]:
        return np.column_stack([self._questions(items, HINT), *hint, self._word(items, HINT_END)])

    def _questions(self, items: QaItems, last: str) -> Int32[np.ndarray, "questions _"]:
        return np.column_stack([*items.question, self._word(items, last)])

    def _word(self, items: QaItems, text: str) -> Int32[np.ndarray, " questions"]:
        return self.fact_table.words(text, items.question[0])[0]

    def _tokens(self, rows: Int32[np.ndarray, "questions pieces"]) -> list[np.ndarray]:
        documents = assemble(rows, self.fact_table.pieces, self.vocabulary.eos)
        return np.split(documents.tokens, documents.starts[1:-1])


@lru_cache(maxsize=2)
def _epoch_plan(
    seed: int, number: int, n_people: int, n_tasks: int, hint_fraction: float
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The order of an epoch's questions, the second person of each, and which have a hint.

    Args:
        seed: Seed of the corpus.
        number: Number of the epoch.
        n_people: Training people.
        n_tasks: Tasks; question i is about person ``i // n_tasks``, task ``i % n_tasks``.
        hint_fraction: Probability of a hint.
    """
    n = n_people * n_tasks
    order = stream(seed, "epoch", number, "questions").permutation(n)
    # Offsets from 1 on: nobody is compared with themselves.
    offsets = stream(seed, "epoch", number, "others").integers(1, n_people, n)
    others = (order // n_tasks + offsets) % n_people
    has_hint = stream(seed, "epoch", number, "facts").random(n) < hint_fraction
    return order, others, has_hint
