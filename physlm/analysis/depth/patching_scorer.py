"""Activation patching between prompts about two people: where a fact is in the states."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least, require_some
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "patching")
@dataclass(kw_only=True, slots=True)
class PatchingConfig(ScorerConfig):
    """Logit difference that one state of another person's run recovers, by state and place.

    A pair is two people whose names have equally many tokens, with one prompt that differs in the
    name alone: a question if the corpus has questions, else the first sentence of a biography up to
    its value. State k of the source replaces that of the base at one place: the ``name``, its last
    token (``name_last``), the tokens after it (``between``), or the ``last`` token. Recovered is 1
    where that turns the base's answer into the source's. The control patches from a third person,
    whose answer is neither.

    Source:
        Meng et al. (2022), Locating and Editing Factual Associations in GPT (causal tracing);
        Gupta et al. (2025), How Do LLMs Use Their Depth?
    """

    figure_names: ClassVar[tuple[str, ...]] = ("patching",)
    table_names: ClassVar[tuple[str, ...]] = ("patching",)

    n_pairs: int = 200  # pairs of people, at most
    states: list[int] | None = None  # state numbers from 0 to L; null: all
    batch_size: int = 64  # pairs per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_pairs")
        require_at_least(self, 1, "batch_size")
        require_some(self, "states")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model can start from a state, and there are pairs that fit its window."""
        from physlm.analysis.depth.person_pairs import person_pairs, person_prompts
        from physlm.models.language_model import chosen

        require_causal("patching", model, "predicts no next token")
        if not model.shows("forward_from"):
            raise InputError("eval=patching: this model has no forward_from; use a decoder")
        chosen(self.states, model.n_layers + 1, "state")
        pairs, _ = person_pairs(person_prompts(corpus), self.n_pairs)
        require_window(model, "prompts", pairs.source.shape[1])

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Recovered logit difference by state, place and run, and how often the model is right."""
        from physlm.analysis.depth.patching_metrics import measured_patching

        return measured_patching(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Recovered logit difference by state and place, beside that of the control."""
        from physlm.analysis.depth.patching_metrics import draw

        return draw(measurement)
