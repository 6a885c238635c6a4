"""What every scorer is: a configuration that, given a model and its corpus, measures."""

from dataclasses import dataclass

from physlm.data.corpus import Corpus
from physlm.models.language_model import LanguageModel
from physlm.record import Metric


@dataclass(kw_only=True, slots=True)
class ScorerConfig:
    """One measurement; each scorer adds its own fields."""

    def check(self, corpus: Corpus) -> None:
        """Refuse, before any training, a corpus that this scorer cannot measure."""

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Measure a trained model against the truth."""
        raise ValueError("eval is not chosen; pick a scorer, for example eval=capacity")
