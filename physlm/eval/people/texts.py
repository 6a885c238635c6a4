"""What scorers have in common that read texts about people, rendered anew."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.eval.scorer import ScorerConfig, sample
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.data.people.knowledge import KnowledgeCorpus


@dataclass(kw_only=True, slots=True)
class PeopleTextsConfig(ScorerConfig):
    """Of how many people how many texts are read."""

    n_renderings: int = 1  # texts drawn per person
    max_people: int = 2000  # people measured; above that, a sample
    batch_size: int = 512  # documents per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_renderings", "max_people", "batch_size")

    def people(self, world: "KnowledgeCorpus", purpose: str) -> np.ndarray:
        """Everyone, or a sample drawn once for a purpose."""
        rng = stream(world.seed, purpose)
        return sample(np.arange(world.n_people), self.max_people, rng)
