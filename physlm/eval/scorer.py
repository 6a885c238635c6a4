"""What every scorer is: a configuration that, given a model and its corpus, measures."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from matplotlib.figure import Figure

from physlm.data.corpus import Corpus
from physlm.models.language_model import LanguageModel
from physlm.record import Metric


@dataclass(kw_only=True, slots=True)
class ScorerConfig(ABC):
    """One measurement; each scorer adds its own fields."""

    @abstractmethod
    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """Refuse, before any training, a model or corpus that this scorer cannot measure.

        Raises:
            InputError: Naming the scorer and what it can measure.
        """

    @abstractmethod
    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Measure a trained model against the truth."""

    def curve(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:  # noqa: ARG002
        """What is worth measuring again and again during training; nothing unless a scorer says."""
        return []

    def figures(self, model: LanguageModel, corpus: Corpus) -> dict[str, Figure]:  # noqa: ARG002
        """Pictures to keep beside the record, by name; none unless a scorer says."""
        return {}
