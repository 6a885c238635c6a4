"""A filter of training documents: corrupted ones found by spectra and by log-probability."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.spectral_best_of import METRICS, require_maps, require_metrics
from physlm.data.corpus import require_at_least
from physlm.data.corrupted import Corrupted
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "spectral_filter")
@dataclass(kw_only=True, slots=True)
class SpectralFilterConfig(ScorerConfig):
    """How well a spectrum of the trained model finds corrupted training documents.

    ``filter/auc`` is the probability that a right document has the higher score than a corrupted
    one. Metric, layer, head and direction are those of the highest AUC on half of the documents;
    the others are measured. Controls: mean and least log-probability (``log_probability`` is the
    better one on the first half), a random score, and the spectra of an untrained model.

    With ``scores_all``, the scores of all documents of the first epoch are kept for a run with
    data=filtered, which trains on those that a filter keeps.
    """

    version: ClassVar[int] = 2
    table_names: ClassVar[tuple[str, ...]] = ("filter_choices",)

    metrics: list[str] = field(default_factory=lambda: list(METRICS))  # without dimensions
    n_texts: int = 1000  # training documents, the first ones
    scores_all: bool = False  # keep the scores of all documents of the first epoch
    batch_size: int = 32  # texts of equal length

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 8, "n_texts")
        require_at_least(self, 1, "batch_size")
        require_metrics(self.metrics)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model has attention maps, and the corpus corrupted documents, known as such."""
        require_maps("spectral_filter", model)
        if not isinstance(corpus, Corrupted):
            raise InputError(
                "eval=spectral_filter: this world has no corrupted documents; use "
                "data=sums, brackets or cfg"
            )
        n = min(self.n_texts, corpus.n_documents)
        if not corpus.is_corrupted(0, 0, n).any():
            raise InputError(
                f"eval=spectral_filter: none of the first {n} training documents is corrupted; "
                "raise data.corrupted_fraction, such as to 0.2"
            )
        lengths = corpus.epoch(0, 0, n).starts
        require_window(model, "documents", int((lengths[1:] - lengths[:-1]).max()))

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """The AUC of every score, and with ``scores_all`` the scores of all documents."""
        from physlm.analysis.spectra.filter_metrics import measured_filter

        return measured_filter(self, model, corpus)
