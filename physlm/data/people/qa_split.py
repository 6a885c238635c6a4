"""Split of people into training people and held-out people for QA."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from physlm.data.corpus import Corpus, DataConfig, OneLine
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.tokens import Vocabulary
from physlm.rng import stream


@dataclass(kw_only=True, slots=True)
class QaSplitConfig(DataConfig):
    """Questions about the people of the run that a run starts from.

    Attributes:
        kind: Its name in the group ``data``.
    """

    kind: ClassVar[str]

    def build(self, seed: int) -> Corpus:  # noqa: ARG002
        """Refused, because questions need the people of an earlier run.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"data={self.kind} asks about the people of a run; name it by init_from")


@dataclass(frozen=True, repr=False)
class QaSplit(OneLine, ABC):
    """A corpus of questions about the people of another corpus.

    Attributes:
        world: The people.
        was_trained: Training people of earlier runs.
    """

    world: KnowledgeCorpus
    was_trained: Bool[np.ndarray, " people"]

    @property
    @abstractmethod
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Training people: their questions are in the QA training set."""

    @property
    @abstractmethod
    def is_held_out(self) -> Bool[np.ndarray, " people"]:
        """Held-out people: no training question names them, in this run or an earlier one."""

    def require_held_out(self) -> None:
        """Require that no held-out person was a training person of an earlier run.

        Raises:
            ValueError: If one was.
        """
        if n_known := int((self.was_trained & self.is_held_out).sum()):
            raise ValueError(
                f"an earlier run was trained on questions about {n_known} of the "
                f"{int(self.is_held_out.sum())} held-out people; use its train_fraction, or start "
                "from a run without questions"
            )

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the world."""
        return self.world.vocabulary

    @property
    def entropy_bits(self) -> float:
        """Entropy of the world."""
        return self.world.entropy_bits


def world_of(corpus: Corpus) -> KnowledgeCorpus | None:
    """The people of a corpus of biographies or questions, or of such a part of a mixture."""
    questions = _questions_of(corpus)
    return part_of(corpus, KnowledgeCorpus) if questions is None else questions.world


def trained_so_far(corpus: Corpus, world: KnowledgeCorpus) -> Bool[np.ndarray, " people"]:
    """Training people of a corpus of questions and of those before it."""
    questions = _questions_of(corpus)
    if questions is None:
        return np.zeros(world.n_people, dtype=bool)
    known: np.ndarray = questions.was_trained | questions.is_trained
    return known


def _questions_of(corpus: Corpus) -> QaSplit | None:
    return part_of(corpus, QaSplit)  # type: ignore[type-abstract]


def require_held_out_people(train_fraction: float) -> None:
    """Require a fraction that leaves training people and held-out people.

    Raises:
        ValueError: If it leaves none.
    """
    if not 0 < train_fraction < 1:
        raise ValueError(
            f"train_fraction={train_fraction}; must be above 0, and below 1 to hold people out"
        )


def people_of(name: str, corpus: Corpus) -> KnowledgeCorpus:
    """The people of a corpus, with attributes that questions ask for.

    Raises:
        ValueError: If there are none.
    """
    world = world_of(corpus)
    if world is None or not question_attributes(world):
        raise ValueError(
            f"data={name} asks about people of data=bios or bior; start from such a run"
        )
    return world


def train_people_of(world: KnowledgeCorpus, fraction: float) -> Bool[np.ndarray, " people"]:
    """The training people: a function of the world and the fraction alone."""
    order = stream(world.seed, "question split").permutation(world.n_people)
    is_trained = np.zeros(world.n_people, dtype=bool)
    is_trained[order[: round(fraction * world.n_people)]] = True
    return is_trained


def question_attributes(world: KnowledgeCorpus) -> tuple[str, ...]:
    """The attributes that questions ask for."""
    return tuple(world.attributes[column].name for column in question_columns(world))


def question_columns(world: KnowledgeCorpus) -> list[int]:
    """Columns of the attributes that questions ask for, among all attributes."""
    return [i for i, a in enumerate(world.attributes) if a.name in ATTRIBUTES]
