"""Loss on held-out texts of worlds that know the entropy of every token."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_window
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.fixed_length import FixedLengthCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "held_out_texts")
@dataclass(kw_only=True, slots=True)
class HeldOutTextsConfig(ScorerConfig):
    """Loss per token on texts of held-out problems, beside its exact lower bound.

    ``texts/floor_nats`` is the true entropy of the same tokens. ``texts/accuracy`` is the fraction
    of tokens with the highest score among those that follow from earlier ones; also by class, such
    as the results of sums.
    """

    n_texts: int = 500  # texts to measure
    batch_size: int = 50  # texts per forward pass
    n_curve_texts: int = 100  # when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_texts", "n_curve_texts")
        require_at_least(self, 1, "batch_size")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The world knows its entropy, and the model reads whole texts."""
        texts = _texts(corpus)
        require_causal("held_out_texts", model, "predicts no next token")
        require_window(model, "texts", texts.n_tokens, n_unread=1)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Loss, lower bound and accuracy."""
        from physlm.eval.texts.held_out_losses import held_out_metrics

        found = held_out_metrics(model, _texts(corpus), self.n_texts, self.batch_size)
        return Measurement(tuple(found))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """The same on fewer texts."""
        from physlm.eval.texts.held_out_losses import held_out_metrics

        return held_out_metrics(model, _texts(corpus), self.n_curve_texts, self.batch_size)


def _texts(corpus: "Corpus") -> "FixedLengthCorpus":
    from physlm.data.filtered import unfiltered
    from physlm.data.fixed_length import FixedLengthCorpus

    whole = unfiltered(corpus)
    if not isinstance(whole, FixedLengthCorpus):
        raise InputError(
            "eval=held_out_texts measures texts of one length; use data=sums or brackets"
        )
    return whole
