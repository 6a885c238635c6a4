"""Loss on natural text, on the documents of training and on others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.files.text_corpus import TextCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "text_loss")
@dataclass(kw_only=True, slots=True)
class TextLossConfig(ScorerConfig):
    """Mean loss per token, and per byte of text, on training documents and on held-out ones.

    Each document is read in windows of its own. ``text/unigram_loss_nats`` is the loss of the best
    predictor without context: the entropy of the tokens of the same documents. Bits per byte can be
    compared between tokenizers.
    """

    measures_checkpoints: ClassVar[bool] = True

    n_documents: int = 100  # of each part; more are left out
    window: int = 256  # tokens; longer documents are split into several windows
    batch_size: int = 8  # windows per forward pass
    n_curve_documents: int = 20  # of each part, when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_documents", "batch_size", "n_curve_documents")
        require_at_least(self, 2, "window")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has texts, and the model predicts them."""
        _texts(corpus)
        require_causal("text_loss", model, "predicts no next token")

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Loss, bits per byte, and the entropy of tokens, of both parts."""
        from physlm.eval.texts.losses import loss_metrics

        found = loss_metrics(model, _texts(corpus), self, self.n_documents)
        return Measurement(tuple(found))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """The losses alone, on fewer documents."""
        from physlm.eval.texts.losses import loss_metrics

        found = loss_metrics(model, _texts(corpus), self, self.n_curve_documents)
        return [metric for metric in found if metric.name == "text/loss_nats"]


def _texts(corpus: "Corpus") -> "TextCorpus":
    from physlm.data.files.text_corpus import TextCorpus
    from physlm.data.mixture import part_of

    texts = part_of(corpus, TextCorpus)
    if texts is None:
        raise InputError("eval=text_loss measures natural text; use data=texts or bible")
    return texts
