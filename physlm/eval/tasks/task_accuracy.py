"""Accuracy of a synthetic task at fixed difficulty."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_generation, require_window
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.tasks.task_corpus import TaskCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "task_accuracy")
@dataclass(kw_only=True, slots=True)
class TaskAccuracyConfig(ScorerConfig):
    """Fraction of right answers, in fresh documents of the largest size.

    Documents are packed as in training with left-aligned windows. An answer is right if each of its
    tokens is the model's argmax under the true prefix, which equals greedy decoding;
    ``task/token_accuracy`` is the fraction of such tokens, ``task/loss_nats`` the loss of a token
    of an answer, and ``task/chance`` the best accuracy of answers that ignore the question. Depo is
    measured at each number of steps k; ``task/depth`` is the largest k whose accuracy is at least
    one half, 0 if there is none. Standard errors are over documents, whose answers are not
    independent.

    A question of Brevo has several right answers. They are generated greedily until they end, at
    most at twice the length of the document's own; others are ``task/unfinished``. Accuracy is also
    given by ``depth``, the edges from the query to the nearest source, and
    ``task/first_vertex_accuracy`` is the fraction of answers that begin with an ancestor without
    parents.

    Source:
        Physics of Language Models, Part 4.1, appendix on the tasks.
    """

    n_answers: int = 2000  # of each set, at least
    batch_size: int = 64  # windows per forward pass, or answers generated at once
    n_curve_answers: int = 200  # same as n_answers, during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_answers", "batch_size", "n_curve_answers")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus is that of a synthetic task, and the model predicts next tokens."""
        from physlm.data.tasks.brevo import Brevo

        task = _task_corpus(corpus).task
        require_causal("task_accuracy", model, "predicts no next token")
        if isinstance(task, Brevo):
            require_generation(model)
            what = "prompts with answers of twice the length"
            require_window(model, what, task.longest_generated, n_unread=1)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy and chance of each set, and the depth of those that have steps."""
        from physlm.eval.tasks.task_metrics import task_metrics

        return Measurement(tuple(task_metrics(model, _task_corpus(corpus), self)))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """The accuracy alone, of fewer answers."""
        fewer = replace(self, n_answers=min(self.n_answers, self.n_curve_answers))
        found = fewer.measure(model, corpus).metrics
        return [metric for metric in found if metric.name == "task/accuracy"]


def _task_corpus(corpus: "Corpus") -> "TaskCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.tasks.task_corpus import TaskCorpus

    found = part_of(corpus, TaskCorpus)
    if found is None:
        raise InputError(
            "eval=task_accuracy measures synthetic tasks only; use data=depo, brevo, mano or copy"
        )
    return found
