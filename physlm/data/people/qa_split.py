"""Whom questions are about: the people of a corpus, some for training and the others for tests."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from physlm.data.corpus import Corpus, DataConfig
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.tokens import Vocabulary
from physlm.rng import stream


@dataclass(kw_only=True, slots=True)
class QaSplitConfig(DataConfig):
    """Questions about the people of the run that a run starts from.

    Attributes:
        kind: As which data it is chosen.
    """

    kind: ClassVar[str]

    def build(self, seed: int) -> Corpus:  # noqa: ARG002
        """Refused: there is nobody to ask about.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"data={self.kind} asks about the people of a run; name it by init_from")


@dataclass(frozen=True)
class QaSplit(ABC):
    """A corpus of questions about the people of another one.

    Attributes:
        world: The people.
        was_trained: Whom the questions of earlier runs named in training.
    """

    world: KnowledgeCorpus
    was_trained: Bool[np.ndarray, " people"]

    @property
    @abstractmethod
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Whom the questions of training name."""

    @property
    @abstractmethod
    def is_held_out(self) -> Bool[np.ndarray, " people"]:
        """Who is kept for tests: no question of training names them, here or in earlier runs."""

    def require_held_out(self) -> None:
        """Nobody is tested whom an earlier run asked about.

        Raises:
            ValueError: If somebody is.
        """
        if n_known := int((self.was_trained & self.is_held_out).sum()):
            raise ValueError(
                f"an earlier run asked about {n_known} of the {int(self.is_held_out.sum())} people "
                "held out; use its train_fraction, or start from a run that asked about nobody"
            )

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the world."""
        return self.world.vocabulary

    @property
    def entropy_bits(self) -> float:
        """Of the world."""
        return self.world.entropy_bits


def world_of(corpus: Corpus) -> KnowledgeCorpus | None:
    """The people of a corpus, or of those whom it or a part of it asks about."""
    asks = _questions_of(corpus)
    return part_of(corpus, KnowledgeCorpus) if asks is None else asks.world


def trained_so_far(corpus: Corpus, world: KnowledgeCorpus) -> Bool[np.ndarray, " people"]:
    """Whom a corpus and those before it named in questions of training."""
    asks = _questions_of(corpus)
    nobody = np.zeros(world.n_people, dtype=bool)
    return nobody if asks is None else asks.was_trained | asks.is_trained


def _questions_of(corpus: Corpus) -> QaSplit | None:
    return part_of(corpus, QaSplit)  # type: ignore[type-abstract]


def require_held_out_people(train_fraction: float) -> None:
    """A share that leaves people to train and to test on.

    Raises:
        ValueError: If it leaves none.
    """
    if not 0 < train_fraction < 1:
        raise ValueError(
            f"train_fraction={train_fraction}; must be above 0, and below 1 to leave test people"
        )


def people_of(name: str, corpus: Corpus) -> KnowledgeCorpus:
    """The people of a corpus, who have names and attributes to ask for.

    Raises:
        ValueError: If there are none.
    """
    world = world_of(corpus)
    if world is None or not question_attributes(world):
        raise ValueError(f"data={name} asks about people of data=bios; start from such a run")
    return world


def train_people_of(world: KnowledgeCorpus, share: float) -> Bool[np.ndarray, " people"]:
    """Which people a training set asks about; it follows from the world and the share alone."""
    chosen = stream(world.seed, "question split").permutation(world.n_people)
    is_asked_about = np.zeros(world.n_people, dtype=bool)
    is_asked_about[chosen[: round(share * world.n_people)]] = True
    return is_asked_about


def question_attributes(world: KnowledgeCorpus) -> tuple[str, ...]:
    """The attributes of people that questions ask for."""
    return tuple(world.attributes[column].name for column in question_columns(world))


def question_columns(world: KnowledgeCorpus) -> list[int]:
    """Where among all attributes those stand that questions ask for."""
    return [i for i, a in enumerate(world.attributes) if a.name in ATTRIBUTES]
