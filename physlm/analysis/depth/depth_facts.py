"""Depth of the tokens of facts, by their position in the answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.depth.lens_scorer import LensScorerConfig
from physlm.errors import InputError
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "depth_facts")
@dataclass(kw_only=True, slots=True)
class DepthFactsConfig(LensScorerConfig):
    """Onset and settling of each token of a value, by the value's length and the token's position.

    A token is read after the correct tokens before it. Right and wrong predictions are measured
    together and apart, because the right ones alone are a selection of easy facts. Later tokens of
    a value are often determined by the first, so first and later tokens are also compared among
    those of equal true entropy, where the world knows it, and of equal final probability.

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?, case study of facts of several tokens.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("fact_ranks",)
    table_names: ClassVar[tuple[str, ...]] = ("fact_predictions",)

    n_predictions: int = 20_000  # to read, of which those within values are analysed
    longest: int = 4  # tokens of the longest values that are measured

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The tokens have positions in facts, and prompts with their answers fit the window."""
        from physlm.analysis.depth.read_texts import longest_fact

        LensScorerConfig.check(self, model, corpus)
        if model.text is not None and (longest := longest_fact(corpus, model.text)) > self.window:
            raise InputError(
                f"eval.depth_facts.window={self.window}; prompts with their answers have up to "
                f"{longest} tokens; raise it, at most to the model's window"
            )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Depths by length and position, first against later tokens, and the predictions."""
        from physlm.analysis.depth.fact_metrics import measured_facts

        return measured_facts(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """The first state at which the final token reaches each rank, by position."""
        from physlm.analysis.depth.fact_metrics import draw_facts

        return draw_facts(measurement)
