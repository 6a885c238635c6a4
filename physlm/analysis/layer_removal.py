"""What a model still knows and tells without one of its layers."""

from dataclasses import dataclass, field, replace

from physlm.data.bio.questions import QuestionCorpus
from physlm.data.corpus import Corpus
from physlm.data.mixture import part_of
from physlm.errors import InputError
from physlm.eval.bio import BioConfig
from physlm.eval.qa import QaConfig
from physlm.eval.scorer import ScorerConfig
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import Transformer, without_layer
from physlm.record import Metric
from physlm.registry import register

_TOTALS = ("bio/attribute_accuracy", "qa/exact_match")


@register("eval", "layer_removal")
@dataclass(kw_only=True, slots=True)
class LayerRemovalConfig(ScorerConfig):
    """Memory accuracy, and that of answers where questions are trained, layer by layer removed.

    Source:
        Physics of Language Models, Part 3.1 (which layers facts pass through); the residual stream
        goes around the layer that is removed.
    """

    bio: BioConfig = field(default_factory=BioConfig)
    qa: QaConfig = field(default_factory=QaConfig)

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """A transformer of several layers, and people that it was told of."""
        if not isinstance(model, Transformer) or model.n_layers < 2:
            raise InputError("eval=layer_removal takes layers from a transformer of at least two")
        for scorer in self._scorers(corpus):
            scorer.check(model, corpus)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """The totals of each scorer without layer 1, 2, ..."""
        assert isinstance(model, Transformer)
        metrics = []
        for layer in range(model.n_layers):
            shorter = without_layer(model, layer)
            metrics += [
                replace(metric, name=f"layer_removal/{layer + 1}/{metric.name}")
                for scorer in self._scorers(corpus)
                for metric in scorer.score(shorter, corpus)
                if metric.name in _TOTALS
            ]
        return metrics

    def _scorers(self, corpus: Corpus) -> tuple[ScorerConfig, ...]:
        is_asked = part_of(corpus, QuestionCorpus) is not None
        return (self.bio, self.qa) if is_asked else (self.bio,)
