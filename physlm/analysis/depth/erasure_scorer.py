"""Linear erasure: whether the answer depends on what a linear probe reads of a fact."""

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
    from physlm.data.people.questions import QuestionCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "erasure")
@dataclass(kw_only=True, slots=True)
class ErasureConfig(ScorerConfig):
    """Accuracy of answers after erasing from a state what a linear probe reads of an attribute.

    Questions ask every person for every attribute. From state k, at the name's or the question's
    last token, what a linear probe reads of the first token of the answer is removed (``own``); as
    controls, that of an independent attribute (``other``), and as many random directions as either
    of them (``random``, ``random_of_other``). Half of the people fit what is removed, the others
    are asked. Accuracy is that of the answer's first token. States that vary in too few directions
    are left out.

    Source:
        Belrose et al. (2023), LEACE; Elazar et al. (2021), Amnesic Probing.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("erasure",)

    attributes: list[str] | None = None  # such as major; null: all that questions ask for
    states: list[int] | None = None  # state numbers from 0 to L; null: all
    max_people: int = 600  # more are sampled
    batch_size: int = 256  # questions per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 4, "max_people")
        require_at_least(self, 1, "batch_size")
        require_some(self, "attributes", "states")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has questions with these attributes, and the model can start from a state."""
        from physlm.models.language_model import chosen

        questions = self.questions(corpus)
        require_causal("erasure", model, "predicts no next token")
        if not model.shows("forward_from"):
            raise InputError("eval=erasure: this model has no forward_from; use a decoder")
        chosen(self.states, model.n_layers + 1, "state")
        require_window(model, "questions", questions.longest_question)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy by attribute, state, place and what is erased, and over all attributes."""
        from physlm.analysis.depth.erasure_metrics import measured_erasure

        return measured_erasure(self, model, self.questions(corpus))

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Accuracy over all attributes, by state, place and what is erased."""
        from physlm.analysis.depth.erasure_metrics import draw

        return {"erasure": draw(measurement)}

    def questions(self, corpus: "Corpus") -> "QuestionCorpus":
        """The questions of a corpus.

        Raises:
            InputError: If there are none, or none about a chosen attribute.
        """
        from physlm.data.mixture import part_of
        from physlm.data.people.questions import QuestionCorpus

        questions = part_of(corpus, QuestionCorpus)
        if questions is None:
            raise InputError("eval=erasure asks about people; use data=questions")
        for name in self.attributes or []:
            if name not in questions.attributes:
                known = ", ".join(questions.attributes)
                raise InputError(f"attributes: no question asks for {name}; use one of {known}")
        return questions
