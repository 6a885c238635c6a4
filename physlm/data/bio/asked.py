"""Whom questions are about: the people of a corpus, some for training and the others for tests."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.data.bio.pools import ATTRIBUTES
from physlm.data.corpus import Corpus
from physlm.data.mixture import part_of
from physlm.data.tokens import Vocabulary
from physlm.rng import stream


@dataclass(frozen=True)
class AboutPeople:
    """A corpus of questions about the people of another one.

    Attributes:
        world: The people.
    """

    world: KnowledgeCorpus

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
    asks = part_of(corpus, AboutPeople)
    return part_of(corpus, KnowledgeCorpus) if asks is None else asks.world


def require_test_people(train_share: float) -> None:
    """A share that leaves people to train and to test on.

    Raises:
        ValueError: If it leaves none.
    """
    if not 0 < train_share < 1:
        raise ValueError(
            f"train_share={train_share}; must be above 0, and below 1 to leave test people"
        )


def people_to_ask_about(name: str, corpus: Corpus) -> KnowledgeCorpus:
    """The people of a corpus, who have names and attributes to ask for.

    Raises:
        ValueError: If there are none.
    """
    world = world_of(corpus)
    if world is None or not attributes_asked(world):
        raise ValueError(f"data={name} asks about people of data=bios; start from such a run")
    return world


def asked_about(world: KnowledgeCorpus, share: float) -> Bool[np.ndarray, " people"]:
    """Which people a training set asks about; it follows from the world and the share alone."""
    chosen = stream(world.seed, "question split").permutation(world.n_people)
    is_asked_about = np.zeros(world.n_people, dtype=bool)
    is_asked_about[chosen[: round(share * world.n_people)]] = True
    return is_asked_about


def attributes_asked(world: KnowledgeCorpus) -> tuple[str, ...]:
    """The attributes of people that questions ask for."""
    return tuple(a.name for a in world.attributes if a.name in ATTRIBUTES)
