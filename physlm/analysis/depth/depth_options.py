"""Depth of choices among options: the states at which the options and their order are known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.depth.lens_scorer import LensScorerConfig, pairs_of
from physlm.data.corpus import require_some
from physlm.eval.scorer import require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "depth_options")
@dataclass(kw_only=True, slots=True)
class DepthOptionsConfig(LensScorerConfig):
    """From which state on all options are likely, and from which on their order is the final one.

    Questions are those of the manipulation tasks of a world, plain and after a hint, or those of a
    file for a checkpoint. Controls permute the options of a file, or leave out its question. The
    lens is fitted on questions about other people.

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?, case study of questions with options.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("options",)
    table_names: ClassVar[tuple[str, ...]] = ("choices",)

    n_predictions: int = 1000  # at most, of each task, split and form
    # Pairs FIRST:SECOND of tasks to compare; null: every pair.
    pairs: list[str] | None = None

    def validate(self) -> None:
        """Every value in its range, and two tasks in every pair."""
        LensScorerConfig.validate(self)
        require_some(self, "pairs")
        pairs_of(self.pairs)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has options, which differ in their first token."""
        from physlm.analysis.depth.option_prompts import option_prompts

        LensScorerConfig.check(self, model, corpus)
        _, kinds = option_prompts(model, corpus, self.n_predictions)
        require_window(model, "prompts", max(kind.tokens.shape[1] for kind in kinds))

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Ranks and choices by state, depths, and differences between tasks."""
        from physlm.analysis.depth.option_metrics import measured_options

        return measured_options(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """All options among the likeliest tokens, and agreement with the final choice, by state."""
        from physlm.analysis.depth.option_metrics import draw_tasks

        return {"options": draw_tasks(measurement)}
