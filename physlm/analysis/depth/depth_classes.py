"""Depth of predictions by the class of the predicted token, also at equal certainty."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.depth.lens_scorer import LensScorerConfig, pairs_of
from physlm.data.corpus import require_some
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "depth_classes")
@dataclass(kw_only=True, slots=True)
class DepthClassesConfig(LensScorerConfig):
    """Onset and settling of each class of tokens, and differences between classes.

    The classes are the world's: levels of a grammar, parts of a biography, or classes of words.
    Every difference between two classes is measured as it is, among predictions of equal final
    probability, among those of equal true entropy where that is known, and with classes permuted.
    The class is that of the true next token. All predictions count, and in the dimension
    ``predictions`` the right ones alone, as published: the onset of a wrong prediction is that of
    another token.

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?, case study of parts of speech.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("class_ranks",)
    table_names: ClassVar[tuple[str, ...]] = ("class_predictions",)

    tag: str = "class"  # the property of tokens that is compared, such as class or attribute
    # Pairs FIRST:SECOND of classes to compare; null: every pair with enough predictions.
    pairs: list[str] | None = None

    def validate(self) -> None:
        """Every value in its range, and two classes in every pair."""
        LensScorerConfig.validate(self)
        require_some(self, "pairs")
        pairs_of(self.pairs)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Depths by class, differences between classes, and the predictions."""
        from physlm.analysis.depth.class_metrics import measured_classes

        return measured_classes(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """The first state at which the final token reaches each rank, by class."""
        from physlm.analysis.depth.class_metrics import draw_classes

        return draw_classes(measurement)
