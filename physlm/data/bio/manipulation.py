"""Questions that ask to do something with what is known of people, with and without facts."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int32, Int64

from physlm.data.bio.asked import (
    AboutPeople,
    AskingConfig,
    asked_about,
    asked_so_far,
    people_to_ask_about,
    require_test_people,
)
from physlm.data.bio.assembly import assemble
from physlm.data.bio.dossiers import NUMBERS, Columns, Dossiers
from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.data.bio.question_vocabulary import ANSWER, keys_for
from physlm.data.bio.tasks import FACTS, FACTS_END, BornInYear, Exercise, Task, task_words, tasks
from physlm.data.corpus import Corpus, DataConfig, Documents, require_at_least
from physlm.registry import register
from physlm.rng import stream


@register("data", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationConfig(AskingConfig):
    """Questions of some tasks about the people of an earlier run, each asked once in an epoch.

    A question ends with one of two words: after ``Answer`` comes the answer, after ``Facts`` what
    it follows from, and then the answer. The other people are for tests: no text asks about them.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    kind: ClassVar = "manipulation"
    tasks: list[str] = field(default_factory=lambda: ["birth_month_mod_2"])
    exposures: int = 100
    train_share: float = 0.5  # of the people, who may be asked about in training
    max_train: int | None = None  # of those, how many are; all by default
    facts_share: float = 0.0  # of training questions with their facts written out

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
        if by_year and self.facts_share:
            raise ValueError(f"tasks: {by_year[0]} has no facts to write out; use facts_share=0")
        require_test_people(self.train_share)
        if self.max_train is not None:
            require_at_least(self, 2, "max_train")
        if not 0 <= self.facts_share <= 1:
            raise ValueError(f"facts_share={self.facts_share}; must be from 0 to 1")

    def follow(self, earlier: Corpus, seed: int) -> "ManipulationCorpus":
        """Ask about the people of an earlier corpus.

        Raises:
            ValueError: If it has no people, too few to split, or no words for questions.
        """
        world = people_to_ask_about(self.kind, earlier)
        dossiers = self._dossiers(world)
        corpus = ManipulationCorpus(world, asked_so_far(earlier, world), self, seed, dossiers)
        for split in (corpus.train, corpus.test):
            if len(split) < 2:
                raise ValueError(
                    f"train_share={self.train_share} of {world.n_people} people leaves fewer than "
                    "two to train or to test on; take more people or another share"
                )
        corpus.require_unasked()
        return corpus

    def _dossiers(self, world: KnowledgeCorpus) -> Dossiers:
        """What these tasks are put together from, in the words that the world has."""
        words = task_words(*(tasks()[name] for name in self.tasks))
        keys = keys_for([*words, *NUMBERS])
        try:
            return Dossiers(world, words)
        except ValueError as error:
            raise ValueError(f"tasks={self.tasks}: {error}; run it with {keys}") from error


@dataclass(frozen=True)
class ManipulationCorpus(AboutPeople):
    """Questions as documents: end-of-text, the question, perhaps facts, the answer.

    Attributes:
        world: The people.
        config: Which questions, about whom.
        seed: Of every epoch's order, of who is compared with whom, and of where facts are told.
        dossiers: What questions are put together from.
    """

    config: ManipulationConfig
    seed: int
    dossiers: Dossiers

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked."""
        return tuple(tasks()[name] for name in self.config.tasks)

    @cached_property
    def _may_be_trained(self) -> Bool[np.ndarray, " people"]:
        """The half of the people, or of the years of birth, that training may ask about."""
        share = self.config.train_share
        if isinstance(self.tasks[0], BornInYear):
            years = np.unique(self.dossiers.years)
            chosen = stream(self.world.seed, "year split").permutation(years)
            return np.isin(self.dossiers.years, chosen[: round(share * len(years))])
        return asked_about(self.world, share)

    @cached_property
    def train(self) -> Int64[np.ndarray, " people"]:
        """The people whom training asks about."""
        people = np.flatnonzero(self._may_be_trained)
        drawn = stream(self.world.seed, "people trained on").permutation(people)
        return np.sort(drawn[: self.config.max_train])

    @cached_property
    def test(self) -> Int64[np.ndarray, " people"]:
        """The people whom no text asks about."""
        return np.flatnonzero(self.is_tested)

    @cached_property
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Whom the questions of training name."""
        is_trained = np.zeros(self.world.n_people, dtype=bool)
        is_trained[self.train] = True
        return is_trained

    @property
    def is_tested(self) -> Bool[np.ndarray, " people"]:
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
            config.train_share,
            config.max_train,
            config.facts_share,
            [task.texts() for task in self.tasks],
            self.seed,
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Questions ``first`` to ``last - 1`` of the epoch's shuffled order."""
        asked, others, has_facts = _epoch_plan(
            self.seed, number, len(self.train), len(self.tasks), self.config.facts_share
        )
        asked, others, has_facts = asked[first:last], others[first:last], has_facts[first:last]
        people = np.stack([self.train[asked // len(self.tasks)], self.train[others]], axis=1)
        assert self._may_be_trained[people].all()  # a person of the test split must not slip in
        kinds = asked % len(self.tasks)
        written = []
        for kind, task in enumerate(self.tasks):
            for form in (True, False):
                places = np.flatnonzero((kinds == kind) & (has_facts == form))
                exercise = task.ask(self.dossiers, people[places, : task.n_people])
                written.append((places, self._rows(exercise, has_facts=form)))
        width = max(rows.shape[1] for _, rows in written)
        rows = np.full((len(asked), width), -1, dtype=np.int32)
        for places, found in written:
            rows[places, : found.shape[1]] = found
        return assemble(rows, self.dossiers.pieces, self.vocabulary.eos)

    def prompts(self, exercise: Exercise, *, wants_facts: bool) -> list[np.ndarray]:
        """Questions up to where the answer, or the facts before it, begin."""
        rows = self._asked(exercise, FACTS if wants_facts else ANSWER)
        return self._tokens(rows)

    def prompts_with_facts(self, exercise: Exercise, facts: Columns) -> list[np.ndarray]:
        """Questions with facts written down, which may be those of somebody else."""
        rows = [self._asked(exercise, FACTS), *facts, self._word(exercise, FACTS_END)]
        return self._tokens(np.column_stack(rows))

    def texts(self, columns: Columns) -> list[str]:
        """Facts or answers as text."""
        pieces = self.dossiers.pieces.texts
        return [
            "".join(pieces[piece] for piece in row if piece >= 0).strip()
            for row in np.column_stack(columns).tolist()
        ]

    def longest(self, columns: Columns) -> int:
        """Tokens of the longest of some rows of pieces."""
        return self.dossiers.pieces.most_tokens(np.column_stack(columns)) if columns else 0

    def _rows(self, exercise: Exercise, *, has_facts: bool) -> Int32[np.ndarray, "questions _"]:
        if not has_facts:
            return np.column_stack([self._asked(exercise, ANSWER), *exercise.answer])
        before = [self._asked(exercise, FACTS), *exercise.facts]
        return np.column_stack([*before, self._word(exercise, FACTS_END), *exercise.answer])

    def _asked(self, exercise: Exercise, last: str) -> Int32[np.ndarray, "questions _"]:
        return np.column_stack([*exercise.question, self._word(exercise, last)])

    def _word(self, exercise: Exercise, text: str) -> Int32[np.ndarray, " questions"]:
        return self.dossiers.words(text, exercise.question[0])[0]

    def _tokens(self, rows: Int32[np.ndarray, "questions pieces"]) -> list[np.ndarray]:
        documents = assemble(rows, self.dossiers.pieces, self.vocabulary.eos)
        return np.split(documents.tokens, documents.starts[1:-1])


@lru_cache(maxsize=2)
def _epoch_plan(
    seed: int, number: int, n_people: int, n_tasks: int, facts_share: float
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The order of an epoch's questions, the other person of each, and which have facts."""
    n = n_people * n_tasks
    asked = stream(seed, "epoch", number, "questions").permutation(n)
    further = stream(seed, "epoch", number, "others").integers(1, n_people, n)
    others = (asked // n_tasks + further) % n_people
    has_facts = stream(seed, "epoch", number, "facts").random(n) < facts_share
    return asked, others, has_facts
