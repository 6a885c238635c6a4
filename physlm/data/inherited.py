"""The corpus of an earlier run, for a run that only measures that run's model."""

from dataclasses import dataclass

from physlm.data.corpus import Corpus, DataConfig
from physlm.registry import register


@register("data", "inherited")
@dataclass(kw_only=True, slots=True)
class InheritedDataConfig(DataConfig):
    """The world of the run that ``init_from`` names, whose configuration takes its place."""

    exposures: int = 0

    def build(self, seed: int) -> Corpus:  # noqa: ARG002
        """Refused: there is no world to inherit without an earlier run.

        Raises:
            ValueError: Always.
        """
        raise ValueError("data=inherited takes the world of another run; name it by init_from")
