"""The hybrid system measured: accuracy and cost of every method, and of the router's choices."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_generation, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.data.tasks.manipulation import ManipulationCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "hybrid")
@dataclass(kw_only=True, slots=True)
class HybridScorerConfig(ScorerConfig):
    """A model with a database of its training texts, on questions about held-out people.

    Methods: ``model`` answers alone; with ``hint`` it writes the facts first; ``database`` returns
    a known value in the document of the named person, or the title of the best document if nobody
    is named; with ``grounded`` the model first writes facts in words of the documents, then the
    answer. The router classifies a question by its words, and chooses the method that is best on
    half of the held-out people. Everything is measured on the other half: ``hybrid/accuracy`` of
    each method and of all ``together``, ``hybrid/chance`` of the most common answer.

    ``hybrid/tokens`` and ``hybrid/milliseconds`` are the cost of a question: tokens that the model
    reads and writes, and wall time in batches. ``hybrid/document_found`` is the fraction of
    questions with a right document among the citations, ``hybrid/routed`` the fraction that each
    method was chosen for, ``hybrid/kind_error`` the fraction that was misclassified, and
    ``hybrid/regret`` the accuracy lost against the method that is best on these questions.

    Source:
        The recommendation of Physics of Language Models, Part 3.2 (inverse search needs retrieval,
        manipulation needs written facts); system and measurement are physlm's.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("hybrid",)
    table_names: ClassVar[tuple[str, ...]] = ("hybrid_answers",)

    max_questions: int = 1000  # most questions of each task, to calibrate on and to test on
    batch_size: int = 128  # questions answered at once

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "batch_size")
        require_at_least(self, 2, "max_questions")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """A decoder, and manipulation tasks with hints about enough people."""
        from physlm.eval.tasks.questions import longest_prompt, most_new_tokens, splits

        questions = _questions(corpus)
        require_causal("hybrid", model, "does not answer")
        require_generation(model)
        if not questions.config.hint_fraction:
            raise InputError(
                "eval=hybrid needs a model that can write hints; train it with "
                "data.hint_fraction=0.5"
            )
        for task in questions.tasks:
            _, (_, people) = splits(task, questions)
            if len(people) < 4:
                raise InputError(
                    f"eval=hybrid: {task.name} has {len(people)} held-out people; at least four "
                    "are needed, two to calibrate on and two to test on"
                )
            n = longest_prompt(task, questions) + most_new_tokens(task, questions, writes_hint=True)
            require_window(model, f"questions, facts and answers of {task.name}", n, n_unread=1)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy and cost of every method, and where the router errs."""
        from physlm.hybrid.calibrated import calibrated
        from physlm.hybrid.hybrid_metrics import hybrid_measurement

        system = calibrated(
            model, _questions(corpus), max_questions=self.max_questions, batch_size=self.batch_size
        )
        return hybrid_measurement(system)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Accuracy by task and method, and what a question costs."""
        from physlm.hybrid.hybrid_figure import draw_hybrid

        return {"hybrid": draw_hybrid(measurement.metrics)}


def _questions(corpus: "Corpus") -> "ManipulationCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.tasks.manipulation import ManipulationCorpus

    questions = part_of(corpus, ManipulationCorpus)
    if questions is None:
        raise InputError("eval=hybrid measures the tasks of data=manipulation; use that world")
    return questions
