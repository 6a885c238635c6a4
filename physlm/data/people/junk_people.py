"""Junk people: further people of a world, each generated when a document needs them."""

import hashlib
import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from jaxtyping import Int64

from physlm.data.corpus import OneLine
from physlm.data.people.junk_tokens import redrawn, reordered
from physlm.data.people.knowledge import KnowledgeCorpus, log2_choose
from physlm.data.people.people import PeopleConfig, Population
from physlm.data.people.sentences import Biographies
from physlm.data.shuffle import Shuffle
from physlm.data.splitmix import choices_of
from physlm.data.tokens import Vocabulary
from physlm.rng import stream_key

# Documents of an epoch: with fewer, starting an epoch would cost more than rendering it.
_LEAST_DOCUMENTS = 4096


class JunkKind(str, Enum):
    """Content of junk documents.

    ``biographies``: texts like those of the world. ``shuffled``: their tokens in a random order.
    ``random``: as many tokens, uniform over the vocabulary.
    """

    biographies = "biographies"
    shuffled = "shuffled"
    random = "random"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JunkPeople(OneLine):
    """Any number of people of the same kind as those of a world, with other names.

    Documents come in rounds: each round has one document about each person, in an order of its
    own, and an epoch has enough rounds for some thousands of documents. Names are entries of a
    random permutation of the free names, and facts are drawn from the number of the person, so
    that memory does not grow with the population.

    Attributes:
        config: Configuration of the world.
        world: The target people.
        n_people: Number of junk people.
        taken: Numbers of the names of the target people, ascending.
        junk_kind: Content of the documents.
        domain: The token after the end-of-text of every document, if there is one.
    """

    config: PeopleConfig
    world: KnowledgeCorpus
    n_people: int
    taken: Int64[np.ndarray, " people"]
    junk_kind: JunkKind = JunkKind.biographies
    domain: int | None = None

    @classmethod
    def to(cls, config: PeopleConfig, world: KnowledgeCorpus, n_people: int) -> "JunkPeople":
        """Junk people for a world, whose configuration is ``config``."""
        names = config.drawn(world.seed).names
        taken = np.sort(np.ravel_multi_index(tuple(names.T), config.name_choices))
        return cls(config=config, world=world, n_people=n_people, taken=taken)

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the world."""
        return self.world.vocabulary

    @property
    def n_documents(self) -> int:
        """Documents in one epoch."""
        return self.n_people * self.n_rounds

    @property
    def n_rounds(self) -> int:
        """Documents about each person in one epoch."""
        return -(-_LEAST_DOCUMENTS // self.n_people)

    @property
    def n_epochs(self) -> int:
        """The number of epochs of the world."""
        return self.world.n_epochs

    @property
    def entropy_bits(self) -> float:
        """Entropy of all names and facts."""
        of_facts = sum(map(math.log2, self.config.fact_choices))
        return log2_choose(self._n_free, self.n_people) + self.n_people * of_facts

    def fingerprint(self) -> str:
        """SHA-256 over the world and the settings of its junk."""
        content = (self.world.fingerprint(), self.n_people, self.junk_kind.value, self.domain)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Biographies:
        """Documents ``first`` to ``last - 1`` of the epoch's order."""
        rounds, places = np.divmod(np.arange(first, last), self.n_people)
        rounds += number * self.n_rounds
        people = np.concatenate(
            [
                Shuffle(self.n_people, self._key("order", own)).at(places[rounds == own])
                for own in np.unique(rounds).tolist()
            ]
        )
        sentences = replace(
            self.config.sentences_about(self.world, self.population(people)),
            augmentations=self.world.sentences.augmentations[:1],
        )
        documents = sentences.render(
            np.arange(len(people)),
            rounds,
            self._key("texts") >> 1,
            self.vocabulary.eos,
            identities=people,
        )
        documents = self._scrambled(documents, rounds * self.n_people + people)
        return documents if self.domain is None else documents.marked(self.domain)

    def population(self, people: Int64[np.ndarray, " people"]) -> Population:
        """Names and facts of some junk people, by their numbers."""
        free = Shuffle(self._n_free, self._key("names")).at(people)
        # Number of taken names before the free name with this index.
        n_taken = np.searchsorted(self.taken - np.arange(len(self.taken)), free, side="right")
        names = np.stack(np.unravel_index(free + n_taken, self.config.name_choices), axis=1)
        choices = np.array(self.config.fact_choices)
        return Population(names, choices_of(np.uint64(self._key("facts")), people, choices))

    @property
    def _n_free(self) -> int:
        return self.world.n_names - len(self.taken)

    def _key(self, *purpose: str | int) -> int:
        return stream_key(self.world.seed, "strangers", *purpose)

    def _scrambled(
        self, documents: Biographies, numbers: Int64[np.ndarray, " documents"]
    ) -> Biographies:
        """The tokens shuffled or redrawn, unless junk consists of biographies."""
        if self.junk_kind is JunkKind.biographies:
            return documents
        key = self._key(self.junk_kind.value)
        if self.junk_kind is JunkKind.shuffled:
            tokens = reordered(documents.tokens, documents.starts, numbers, key=key)
        else:
            n_choices = self.vocabulary.n_words
            tokens = redrawn(
                documents.tokens, documents.starts, numbers, key=key, n_choices=n_choices
            )
        return replace(documents, tokens=tokens)
