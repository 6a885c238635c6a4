"""Settings of scorers that read fresh renderings of people's biographies."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.eval.scorer import ScorerConfig, sample
from physlm.rng import stream
from physlm.run_id import LATER

if TYPE_CHECKING:
    from physlm.data.people.knowledge import KnowledgeCorpus


@dataclass(kw_only=True, slots=True)
class PeopleTextsConfig(ScorerConfig):
    """How many people are measured, and on how many renderings of each."""

    n_renderings: int = 1  # renderings per person
    max_people: int = 2000  # people measured; more are sampled
    batch_size: int = 512  # documents per forward pass
    n_curve_people: int = field(default=200, metadata=LATER)  # people measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_renderings", "max_people", "batch_size", "n_curve_people")

    def fewer(self) -> Self:
        """The same measurement as it is repeated during training: fewer people, one rendering."""
        return replace(self, n_renderings=1, max_people=min(self.max_people, self.n_curve_people))

    def people(self, world: "KnowledgeCorpus", purpose: str) -> np.ndarray:
        """All people, or a sample that is a function of the world's seed and the purpose."""
        rng = stream(world.seed, purpose)
        return sample(np.arange(world.n_people), self.max_people, rng)
