"""Worlds of people: their number, their frequencies, and the choices for names and facts."""

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

_MOST_NAMES = 2**62  # largest number of names that can be shuffled


@dataclass(frozen=True, slots=True)
class Population:
    """People as indices, which a world turns into text.

    Attributes:
        names: Index of each part of the name.
        facts: Index of the choice for each fact.
    """

    names: Int64[np.ndarray, "people parts"]
    facts: Int64[np.ndarray, "people facts"]


@dataclass(kw_only=True, slots=True)
class KnowledgeConfig(DataConfig):
    """A world whose corpus holds biographies of people, perhaps among other documents."""

    def follow(self, earlier: Corpus, seed: int) -> Corpus:
        """The corpus for a model that was trained on an earlier corpus.

        Raises:
            ValueError: If the vocabularies differ, or a model is only measured and the people
                differ.
        """
        corpus = DataConfig.follow(self, earlier, seed)
        if self.exposures == 0:
            _require_trained_people(corpus, earlier)
        return corpus


@dataclass(kw_only=True, slots=True)
class PeopleConfig(KnowledgeConfig):
    """A world of people with distinct names and uniformly drawn facts."""

    n_people: int = 10_000  # people in the world, N in the papers
    # Documents of an epoch about each person, one entry for each group; groups have equal size.
    frequencies: list[int] | None = field(default=None, metadata=LATER)

    def validate(self) -> None:
        """Require people and windows in range, and at least one person in every group."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_people")
        if self.frequencies is None:
            return
        if not self.frequencies or min(self.frequencies) < 1:
            raise ValueError(f"frequencies={self.frequencies}; needs entries of at least 1")
        if len(self.frequencies) > self.n_people:
            raise ValueError(
                f"frequencies={self.frequencies} has {len(self.frequencies)} groups for "
                f"n_people={self.n_people}; use fewer groups"
            )

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people and tokenise every piece of their biographies."""
        return self.corpus(seed)

    @property
    @abstractmethod
    def name_choices(self) -> tuple[int, ...]:
        """Number of choices for each part of a name."""

    @property
    @abstractmethod
    def fact_choices(self) -> tuple[int, ...]:
        """Number of choices for each fact."""

    @abstractmethod
    def corpus(self, seed: int, reserved: Sequence[str] = ()) -> KnowledgeCorpus:
        """The corpus of a seed, whose vocabulary has the ``reserved`` tokens too."""

    @abstractmethod
    def sentences_about(self, corpus: KnowledgeCorpus, others: Population) -> Sentences:
        """Sentences about other people, with the templates and vocabulary of a corpus."""

    @abstractmethod
    def drawn(self, seed: int) -> Population:
        """The people of a seed."""

    def require_room(self) -> None:
        """Require that people and the order of an epoch's documents fit into memory.

        Raises:
            ValueError: Naming the largest count, if they do not.
        """
        require_memory(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Minimum bytes that each setting requires; worlds extend this."""
        groups = self.frequencies or [1]
        n_documents = self.n_people // len(groups) * sum(groups)
        return {
            f"n_people={self.n_people}": 8 * self.n_people * len(self.name_choices),
            f"frequencies={self.frequencies}": 8 * n_documents,
        }

    def document_ends(self) -> Int64[np.ndarray, " people"]:
        """Cumulative number of documents in an epoch, person by person."""
        groups = self.frequencies or [1]
        group = np.arange(self.n_people) * len(groups) // self.n_people
        return np.array(groups)[group].cumsum()


def _require_trained_people(corpus: Corpus, earlier: Corpus) -> None:
    """Require that a model is measured on the people of its training, if there were any.

    Raises:
        ValueError: If the people differ.
    """
    own, trained = part_of(corpus, KnowledgeCorpus), part_of(earlier, KnowledgeCorpus)
    if own is not None and trained is not None and not own.has_same_people_as(trained):
        raise ValueError(
            f"stage=measure needs the people of the run of init_from: its {trained.n_people} "
            f"people differ from these {own.n_people}; use the same world and seed"
        )


def draw_names(seed: int, n_people: int, sizes: Sequence[int]) -> Int64[np.ndarray, "people parts"]:
    """Distinct full names as one index per name part, uniform over all sets of names.

    Raises:
        ValueError: If there are fewer distinct names than people.
    """
    n_names = math.prod(sizes)
    if n_names > _MOST_NAMES:
        raise ValueError(
            f"name parts {list(sizes)} make more than {_MOST_NAMES} names; use fewer parts"
        )
    if n_people > n_names:
        raise ValueError(
            f"n_people={n_people} exceeds the {n_names} distinct names; use fewer people"
        )
    # NumPy draws a large fraction of a set by shuffling the whole set.
    n_numbers = n_people * len(sizes) + (n_names if n_people > n_names // 50 else n_people)
    require_memory({f"n_people={n_people} of {n_names} names": 8 * n_numbers})
    drawn = stream(seed, "names").choice(n_names, n_people, replace=False)
    return np.stack(np.unravel_index(drawn, tuple(sizes)), axis=1)
