"""Attention of models of iGSM over numbers, operators, letters and definitions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.spectra import require_attention_maps
from physlm.analysis.spectra.spectral_best_of import require_maps
from physlm.data.corpus import require_at_least
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.data.tasks.igsm.corpus import IgsmCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "igsm_attention")
@dataclass(kw_only=True, slots=True)
class IgsmAttentionConfig(ScorerConfig):
    """What each head attends to when results, numbers, letters and names are written.

    ``mass`` is the attention from the current token (``from``, what is written next) to all tokens
    of a role (``to``), as a mean over test problems; predictions without tokens of the role do not
    count. ``uniform_mass`` is that of uniform attention, ``best_mass`` that of the head with the
    most, chosen on the other half of the problems, and ``untrained_best_mass`` that of a model with
    random weights. ``loss_rise`` and ``accuracy_drop`` are the cost of ablating the head that
    attends most to the source of what is written, and of ablating a random other head.

    Source:
        The problems are those of Physics of Language Models, Part 2.1; the measurement is physlm's.
    """

    figure_names: ClassVar[tuple[str, ...]] = (
        "igsm_attention",
        "igsm_attention_text",
        "igsm_ablation",
    )
    table_names: ClassVar[tuple[str, ...]] = ("igsm_attention", "igsm_ablation")

    n_problems: int = 100  # half choose heads, half measure them
    batch_size: int = 25  # problems of a forward pass, when heads are ablated

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_problems")
        require_at_least(self, 1, "batch_size")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model has attention weights and several heads, and the world is iGSM."""
        from physlm.models.transformer import transformer

        igsm = _igsm(corpus)
        with refused_values():
            documents = igsm.test_documents(0, self.n_problems)
        require_maps("igsm_attention", model)
        shape = transformer(model, "eval=igsm_attention").config.attention_shape
        if model.n_layers * shape.n_heads < 2:
            raise InputError(
                "eval=igsm_attention compares heads, and the model has one; raise model.n_heads"
            )
        require_attention_maps(model)
        require_window(model, "test problems", max(map(len, documents)))

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Masses of all heads, their controls, and ablations."""
        from physlm.analysis.igsm.attention_metrics import measured_attention

        return measured_attention(self, model, _igsm(corpus))

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Heads by roles, attention over one text, and what each head's ablation costs."""
        from physlm.analysis.igsm.attention_figures import draw_ablation, draw_masses, draw_text

        return {
            "igsm_attention": draw_masses(measurement.tables["igsm_attention"]),
            "igsm_attention_text": draw_text(measurement.arrays),
            "igsm_ablation": draw_ablation(measurement),
        }


def _igsm(corpus: "Corpus") -> "IgsmCorpus":
    from physlm.data.tasks.igsm.corpus import IgsmCorpus

    if not isinstance(corpus, IgsmCorpus):
        raise InputError("eval=igsm_attention: this world has no solutions of iGSM; use data=igsm")
    return corpus
