"""Recall and QA accuracy after ablating one layer."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from physlm.errors import InputError
from physlm.eval.people.qa import QaConfig
from physlm.eval.people.recall import RecallConfig
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

_TOTALS = ("recall/accuracy", "qa/exact_match")


@register("eval", "layer_ablation")
@dataclass(kw_only=True, slots=True)
class LayerAblationConfig(ScorerConfig):
    """Recall, and QA accuracy if questions are trained, with each layer removed in turn.

    Source:
        Physics of Language Models, Part 3.1 (which layers facts pass through); the residual stream
        skips the removed layer.
    """

    recall: RecallConfig = field(default_factory=RecallConfig)
    qa: QaConfig = field(default_factory=QaConfig)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model is a transformer of several layers, and the corpus suits both scorers."""
        from physlm.models.transformer import transformer

        if transformer(model, "eval=layer_ablation").n_layers < 2:
            raise InputError(
                "eval=layer_ablation needs at least 2 layers, and the model has 1; raise "
                "model.n_layers"
            )
        for scorer in self._scorers(corpus):
            scorer.check(model, corpus)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """The totals of each scorer without layer 1, 2, and so on."""
        from physlm.models.transformer import without_layer

        metrics = []
        for layer in range(model.n_layers):
            shorter = without_layer(model, layer)
            metrics += [
                replace(
                    metric,
                    name=f"layer_ablation/{metric.name}",
                    dims={**metric.dims, "layer": layer + 1},
                )
                for scorer in self._scorers(corpus)
                for metric in scorer.measure(shorter, corpus).metrics
                if metric.name in _TOTALS and "attribute" not in metric.dims
            ]
        return Measurement(tuple(metrics))

    def _scorers(self, corpus: "Corpus") -> tuple[ScorerConfig, ...]:
        from physlm.data.mixture import part_of
        from physlm.data.people.questions import QuestionCorpus

        has_questions = part_of(corpus, QuestionCorpus) is not None
        return (self.recall, self.qa) if has_questions else (self.recall,)
