"""Worlds of people: how many there are, how often each is told of, what can be drawn for them."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from physlm.data.corpus import Corpus, DataConfig, require_at_least
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.sentences import Sentences
from physlm.memory import require_memory
from physlm.rng import stream
from physlm.run_id import LATER

_MOST_NAMES = 2**62  # that can be numbered and shuffled


@dataclass(frozen=True, slots=True)
class Population:
    """People as numbers, which a world puts into words.

    Attributes:
        names: An entry of each list of parts of names.
        facts: A choice for each fact.
    """

    names: Int64[np.ndarray, "people parts"]
    facts: Int64[np.ndarray, "people facts"]


@dataclass(kw_only=True, slots=True)
class KnowledgeConfig(DataConfig):
    """A world that tells of people, of nobody else or of others, too."""

    def follow(self, earlier: Corpus, seed: int) -> Corpus:
        """The people for a model that was trained on an earlier corpus.

        Raises:
            ValueError: If its tokens are others, or it is to be measured on other people.
        """
        corpus = DataConfig.follow(self, earlier, seed)
        if self.exposures == 0:
            _require_trained_people(corpus, earlier)
        return corpus


@dataclass(kw_only=True, slots=True)
class PeopleConfig(KnowledgeConfig):
    """A world of people with distinct names, whose facts are drawn uniformly."""

    n_people: int = 10_000
    # Documents of an epoch about each person, for as many groups of equal size; null: one.
    frequencies: list[int] | None = field(default=None, metadata=LATER)

    def validate(self) -> None:
        """People and windows in range, and somebody in every group."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_people")
        if self.frequencies is None:
            return
        if not self.frequencies or min(self.frequencies) < 1:
            raise ValueError(f"frequencies={self.frequencies}; each group is told of at least once")
        if len(self.frequencies) > self.n_people:
            raise ValueError(
                f"frequencies={self.frequencies} are of {len(self.frequencies)} groups, but there "
                f"are n_people={self.n_people}; use fewer groups"
            )

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people and tokenise every piece of their biographies."""
        return self.corpus(seed)

    @property
    @abstractmethod
    def name_choices(self) -> tuple[int, ...]:
        """Entries of each list of parts of names."""

    @property
    @abstractmethod
    def fact_choices(self) -> tuple[int, ...]:
        """How many choices there are for each fact."""

    @abstractmethod
    def corpus(self, seed: int, reserved: Sequence[str] = ()) -> KnowledgeCorpus:
        """The people of a seed; ``reserved`` are further tokens of the vocabulary."""

    @abstractmethod
    def of_others(self, corpus: KnowledgeCorpus, others: Population) -> Sentences:
        """Sentences in the words of this configuration's corpus about other people."""

    @abstractmethod
    def drawn(self, seed: int) -> Population:
        """The people of a seed."""

    def require_room(self) -> None:
        """The people, and the order of an epoch's documents, fit into memory.

        Raises:
            ValueError: If they do not.
        """
        require_memory(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Bytes that each count takes at least; worlds extend this."""
        groups = self.frequencies or [1]
        n_told = self.n_people // len(groups) * sum(groups)
        return {
            f"n_people={self.n_people}": 8 * self.n_people * len(self.name_choices),
            f"frequencies={self.frequencies}": 8 * n_told,
        }

    def document_ends(self) -> Int64[np.ndarray, " people"]:
        """Documents of an epoch about each person and those before."""
        groups = self.frequencies or [1]
        group = np.arange(self.n_people) * len(groups) // self.n_people
        return np.array(groups)[group].cumsum()


def _require_trained_people(corpus: Corpus, earlier: Corpus) -> None:
    """A model is measured on people that it was told of, if it was told of any.

    Raises:
        ValueError: If these are others.
    """
    own, told = part_of(corpus, KnowledgeCorpus), part_of(earlier, KnowledgeCorpus)
    if own is not None and told is not None and not own.is_of_people_of(told):
        raise ValueError(
            f"stage=measure measures what the run of init_from was told, but its "
            f"{told.n_people} people are not these {own.n_people}; use the same world and seed"
        )


def draw_names(seed: int, n_people: int, sizes: Sequence[int]) -> Int64[np.ndarray, "people parts"]:
    """Distinct full names, one index per name part, uniform over all sets of such names.

    Raises:
        ValueError: If there are fewer distinct names than people.
    """
    n_names = math.prod(sizes)
    if n_names > _MOST_NAMES:
        raise ValueError(
            f"{list(sizes)} parts of names make more than {_MOST_NAMES} names; use fewer"
        )
    if n_people > n_names:
        raise ValueError(
            f"n_people={n_people} exceeds the {n_names} distinct names; use fewer people"
        )
    # NumPy draws a large share of a set by shuffling the whole of it.
    n_numbers = n_people * len(sizes) + (n_names if n_people > n_names // 50 else n_people)
    require_memory({f"n_people={n_people} of {n_names} names": 8 * n_numbers})
    drawn = stream(seed, "names").choice(n_names, n_people, replace=False)
    return np.stack(np.unravel_index(drawn, tuple(sizes)), axis=1)
