"""Questions that ask to do something with what is known of people, with and without facts."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int32, Int64

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
from physlm.data.tasks.manipulation_tasks import (
    HINT,
    HINT_END,
    BornInYear,
    QaItems,
    Task,
    task_words,
    tasks,
)
from physlm.registry import register
from physlm.rng import stream


@register("data", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationConfig(QaSplitConfig):
    """Questions of some tasks about the people of an earlier run, each asked once in an epoch.

    A question ends with one of two words: after ``Answer`` comes the answer, after ``Facts`` what
    it follows from, and then the answer. The other people are for tests: no text asks about them.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    kind: ClassVar = "manipulation"
    tasks: list[str] = field(default_factory=lambda: ["birth_month_mod_2"])
    exposures: int = 100
    train_fraction: float = 0.5  # of the people, who may be asked about in training
    n_train_people: int | None = None  # of those, how many are; all by default
    hint_fraction: float = 0.0  # of training questions with their facts written out

    def validate(self) -> None:
        """Known tasks, shares in range."""
        DataConfig.validate(self)
        if not self.tasks:
            raise ValueError(f"tasks=[]; name at least one of {', '.join(tasks())}")
        for name in self.tasks:
            if name not in tasks():
                raise ValueError(f"tasks: {name} is none of {', '.join(tasks())}")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks={self.tasks}; name each once")
        by_year = [name for name in self.tasks if isinstance(tasks()[name], BornInYear)]
        if by_year and len(self.tasks) > 1:
            raise ValueError(f"tasks: {by_year[0]} has another split than the others; ask it alone")
        if by_year and self.hint_fraction:
            raise ValueError(f"tasks: {by_year[0]} has no facts to write out; use hint_fraction=0")
        require_held_out_people(self.train_fraction)
        if self.n_train_people is not None:
            require_at_least(self, 2, "n_train_people")
        if not 0 <= self.hint_fraction <= 1:
            raise ValueError(f"hint_fraction={self.hint_fraction}; must be from 0 to 1")

    def follow(self, earlier: Corpus, seed: int) -> "ManipulationCorpus":
        """Ask about the people of an earlier corpus.

        Raises:
            ValueError: If it has no people, too few to split, or no words for questions.
        """
        world = people_of(self.kind, earlier)
        fact_table = self._fact_table(world)
        corpus = ManipulationCorpus(world, trained_so_far(earlier, world), self, seed, fact_table)
        for split in (corpus.train, corpus.test):
            if len(split) < 2:
                raise ValueError(
                    f"train_fraction={self.train_fraction} of {world.n_people} people leaves fewer "
                    "than two to train or to test on; take more people or another share"
                )
        corpus.require_held_out()
        return corpus

    def _fact_table(self, world: KnowledgeCorpus) -> FactTable:
        """What these tasks are put together from, in the words that the world has."""
        words = task_words(*(tasks()[name] for name in self.tasks))
        keys = keys_for([*words, *NUMBERS])
        try:
            return FactTable(world, words)
        except ValueError as error:
            raise ValueError(f"tasks={self.tasks}: {error}; run it with {keys}") from error


@dataclass(frozen=True)
class ManipulationCorpus(QaSplit):
    """Questions as documents: end-of-text, the question, perhaps facts, the answer.

    Attributes:
        world: The people.
        config: Which questions, about whom.
        seed: Of every epoch's order, of who is compared with whom, and of where facts are told.
        fact_table: What questions are put together from.
    """

    config: ManipulationConfig
    seed: int
    fact_table: FactTable

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked."""
        return tuple(tasks()[name] for name in self.config.tasks)

    @cached_property
    def _may_be_trained(self) -> Bool[np.ndarray, " people"]:
        """The half of the people, or of the years of birth, that training may ask about."""
        share = self.config.train_fraction
        if isinstance(self.tasks[0], BornInYear):
            years = np.unique(self.fact_table.years)
            chosen = stream(self.world.seed, "year split").permutation(years)
            return np.isin(self.fact_table.years, chosen[: round(share * len(years))])
        return train_people_of(self.world, share)

    @cached_property
    def train(self) -> Int64[np.ndarray, " people"]:
        """The people whom training asks about."""
        people = np.flatnonzero(self._may_be_trained)
        drawn = stream(self.world.seed, "people trained on").permutation(people)
        return np.sort(drawn[: self.config.n_train_people])

    @cached_property
    def test(self) -> Int64[np.ndarray, " people"]:
        """The people whom no text asks about."""
        return np.flatnonzero(self.is_held_out)

    @cached_property
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Whom the questions of training name."""
        is_trained = np.zeros(self.world.n_people, dtype=bool)
        is_trained[self.train] = True
        return is_trained

    @property
    def is_held_out(self) -> Bool[np.ndarray, " people"]:
        """The half that training may not ask about."""
        return ~self._may_be_trained

    @property
    def n_documents(self) -> int:
        """Questions in one epoch."""
        return len(self.train) * len(self.tasks)

    @property
    def n_epochs(self) -> int:
        """Times each question is asked in training."""
        return self.config.exposures

    def fingerprint(self) -> str:
        """SHA-256 over the world, who is asked what, and the seed."""
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
        asked, others, has_hint = _epoch_plan(
            self.seed, number, len(self.train), len(self.tasks), self.config.hint_fraction
        )
        asked, others, has_hint = asked[first:last], others[first:last], has_hint[first:last]
        people = np.stack([self.train[asked // len(self.tasks)], self.train[others]], axis=1)
        assert self._may_be_trained[people].all()  # a person of the test split must not slip in
        kinds = asked % len(self.tasks)
        written = []
        for kind, task in enumerate(self.tasks):
            for form in (True, False):
                places = np.flatnonzero((kinds == kind) & (has_hint == form))
                items = task.ask(self.fact_table, people[places, : task.n_people])
                written.append((places, self._rows(items, has_hint=form)))
        width = max(rows.shape[1] for _, rows in written)
        rows = np.full((len(asked), width), -1, dtype=np.int32)
        for places, found in written:
            rows[places, : found.shape[1]] = found
        return assemble(rows, self.fact_table.pieces, self.vocabulary.eos)

    def prompts(self, items: QaItems, *, wants_hint: bool) -> list[np.ndarray]:
        """Questions up to where the answer, or the facts before it, begin."""
        rows = self._asked(items, HINT if wants_hint else ANSWER)
        return self._tokens(rows)

    def prompts_with_hint(self, items: QaItems, facts: Columns) -> list[np.ndarray]:
        """Questions with facts written down, which may be those of somebody else."""
        rows = [self._asked(items, HINT), *facts, self._word(items, HINT_END)]
        return self._tokens(np.column_stack(rows))

    def texts(self, columns: Columns) -> list[str]:
        """Facts or answers as text."""
        pieces = self.fact_table.pieces.texts
        return [
            "".join(pieces[piece] for piece in row if piece >= 0).strip()
            for row in np.column_stack(columns).tolist()
        ]

    def longest(self, columns: Columns) -> int:
        """Tokens of the longest of some rows of pieces."""
        return self.fact_table.pieces.most_tokens(np.column_stack(columns)) if columns else 0

    def _rows(self, items: QaItems, *, has_hint: bool) -> Int32[np.ndarray, "questions _"]:
        if not has_hint:
            return np.column_stack([self._asked(items, ANSWER), *items.answer])
        before = [self._asked(items, HINT), *items.hint]
        return np.column_stack([*before, self._word(items, HINT_END), *items.answer])

    def _asked(self, items: QaItems, last: str) -> Int32[np.ndarray, "questions _"]:
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
    """The order of an epoch's questions, the other person of each, and which have facts."""
    n = n_people * n_tasks
    asked = stream(seed, "epoch", number, "questions").permutation(n)
    further = stream(seed, "epoch", number, "others").integers(1, n_people, n)
    others = (asked // n_tasks + further) % n_people
    has_hint = stream(seed, "epoch", number, "facts").random(n) < hint_fraction
    return asked, others, has_hint
