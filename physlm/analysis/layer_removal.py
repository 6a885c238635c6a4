"""What a model still knows and tells without one of its layers."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from physlm.errors import InputError
from physlm.eval.bio import BioConfig
from physlm.eval.qa import QaConfig
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

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

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """A transformer of several layers, and people that it was told of."""
        from physlm.models.transformer import transformer

        if transformer(model, "eval=layer_removal").n_layers < 2:
            raise InputError("eval=layer_removal takes layers from a transformer of at least two")
        for scorer in self._scorers(corpus):
            scorer.check(model, corpus)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """The totals of each scorer without layer 1, 2, ..."""
        from physlm.models.transformer import without_layer

        metrics = []
        for layer in range(model.n_layers):
            shorter = without_layer(model, layer)
            metrics += [
                replace(
                    metric,
                    name=f"layer_removal/{metric.name}",
                    dims={**metric.dims, "layer": layer + 1},
                )
                for scorer in self._scorers(corpus)
                for metric in scorer.measure(shorter, corpus).metrics
                if metric.name in _TOTALS and "attribute" not in metric.dims
            ]
        return Measurement(tuple(metrics))

    def _scorers(self, corpus: "Corpus") -> tuple[ScorerConfig, ...]:
        from physlm.data.bio.questions import QuestionCorpus
        from physlm.data.mixture import part_of

        is_asked = part_of(corpus, QuestionCorpus) is not None
        return (self.bio, self.qa) if is_asked else (self.bio,)
