"""Whether the spectral difference of right and wrong texts depends on induction heads."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.spectral_best_of import require_maps, require_metrics
from physlm.data.corpus import require_at_least
from physlm.data.labelled import Labelled
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "spectral_ablation")
@dataclass(kw_only=True, slots=True)
class SpectralAblationConfig(ScorerConfig):
    """The paired effect of spectral metrics after heads are ablated, and the roles of all heads.

    The heads with the highest induction score are ablated, those with the highest previous-token
    score, and random ones. ``ablation/ratio`` is the effect after over that before, without signs,
    in the column (layer and head) of the whole model or in one that is chosen anew; columns are
    chosen on half of the problems and measured on the other. ``ablation/loss_rise`` is the cost of
    each ablation on right texts. ``roles/spearman`` correlates spectral metrics with the roles of
    heads.

    Source:
        Noel (2026), Geometry of Reason, for the claim; Olsson et al. (2022) for induction heads.
    """

    version: ClassVar[int] = 2
    table_names: ClassVar[tuple[str, ...]] = ("head_roles", "ablated_heads")

    # Names of spectral metrics, without their dimensions.
    metrics: list[str] = field(default_factory=lambda: ["hfer", "smoothness"])
    corruption: str | None = None  # null: the first of the world
    n_errors: int = 1  # errors in each wrong text
    n_problems: int = 200  # problems, each with a right and a wrong text
    n_ablated: int = 2  # heads of the whole model
    n_draws: int = 5  # sets of random heads
    batch_size: int = 32  # texts of equal length

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 8, "n_problems")
        require_at_least(self, 1, "n_errors", "n_ablated", "batch_size")
        require_at_least(self, 2, "n_draws")
        require_metrics(self.metrics)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model is a decoder with enough heads, and the world has right and wrong texts."""
        from physlm.analysis.spectra.ablation_metrics import pairs_of
        from physlm.models.transformer import transformer

        require_maps("spectral_ablation", model)
        shape = transformer(model, "eval=spectral_ablation").config.attention_shape
        n_heads = model.n_layers * shape.n_heads
        if 2 * self.n_ablated > n_heads:
            raise InputError(
                f"eval.spectral_ablation.n_ablated={self.n_ablated} of {n_heads} heads leaves too "
                "few for random sets; ablate at most half of them"
            )
        if not isinstance(corpus, Labelled):
            raise InputError(
                "eval=spectral_ablation: this world has no right and wrong texts; "
                "use data=sums, igsm, brackets, cfg or bios"
            )
        if self.corruption not in (None, *corpus.corruptions):
            raise InputError(
                f"corruption={self.corruption}; use one of {', '.join(corpus.corruptions)}"
            )
        corruption = self.corruption or corpus.corruptions[0]
        with refused_values():
            texts = corpus.labelled(self.n_problems, corruption, self.n_errors)
        pairs_of(texts)
        require_window(model, "texts", int(texts.n_tokens.max()))

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Effects with and without heads, and the roles of all heads."""
        from physlm.analysis.spectra.ablation_metrics import measured_ablation

        return measured_ablation(self, model, corpus)
