"""What a model can do with what it knows of people: straight away, and with facts written out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.tasks.manipulation import ManipulationCorpus
    from physlm.data.tasks.task import Task
    from physlm.models.language_model import LanguageModel


@register("eval", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationScorerConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    The split is ``train_people``, about whom training asked, or ``held_out_people``; pairs are of
    people of one split. Chance is the accuracy of the answer commonest in training. Where training
    wrote hints out, the model writes one, too: ``hint_accuracy`` is the share of right hints,
    ``accuracy_with_hint`` that of right answers after them, and ``hint_faithfulness`` the share of
    answers that follow from a given hint of somebody else, where that changes the answer. An answer
    that is longer than any right one, with room for a hint of twice the length, is cut and counted
    in ``unfinished`` or ``unfinished_with_hint``.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    version: ClassVar[int] = 2
    max_questions: int = 1000  # of each task and split; above that, a sample
    batch_size: int = 512  # questions read at once

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "max_questions", "batch_size")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus asks to manipulate, and the model reads and answers it."""
        from physlm.eval.tasks.questions import longest_prompt, most_new_tokens

        asked = _questions(corpus)
        require_causal("manipulation", model, "does not answer")
        for task in asked.tasks:
            self._require_questions(task, asked)
            needed = longest_prompt(task, asked) + most_new_tokens(task, asked, writes_hint=False)
            what = f"questions, facts and answers of {task.name}"
            require_window(model, what, needed, n_unread=1)

    def _require_questions(self, task: "Task", asked: "ManipulationCorpus") -> None:
        """Both splits have questions, of two people where two are compared."""
        from physlm.eval.tasks.questions import splits

        for split, people in splits(task, asked):
            n_asked = min(self.max_questions, len(task.distinct(asked.fact_table, people)))
            if n_asked < task.n_people:
                raise InputError(
                    f"eval.manipulation: {task.name} is about {task.n_people} people, but of those "
                    f"{split} only {n_asked} can be asked about; take more people, a larger "
                    f"data.pool_size, or max_questions={task.n_people} or more"
                )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Each task in both splits, beside chance."""
        asked = _questions(corpus)
        found = (self._of_task(model, asked, task) for task in asked.tasks)
        return Measurement(tuple(metric for metrics in found for metric in metrics))

    def _of_task(
        self, model: "LanguageModel", asked: "ManipulationCorpus", task: "Task"
    ) -> list[Metric]:
        from physlm.eval.tasks.answers import Asked, with_hint, without_hint
        from physlm.eval.tasks.questions import accepted, commonest, questions_of, splits

        metrics = []
        for split, people in splits(task, asked):
            items = questions_of(task, asked, people, split, self.max_questions)
            right = accepted(task, asked, items)
            questions = Asked(asked, task, items, right, self.batch_size)
            measured = without_hint(model, questions)
            usual = commonest(task, asked)
            measured["chance"] = [usual in answers for answers in right]
            if asked.config.hint_fraction and items.hint:
                measured |= with_hint(model, questions)
            metrics += [
                mean(f"manipulation/{name}", np.array(values), "share", split=split, task=task.name)
                for name, values in measured.items()
            ]
        return metrics


def _questions(corpus: "Corpus") -> "ManipulationCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.tasks.manipulation import ManipulationCorpus

    asked = part_of(corpus, ManipulationCorpus)
    if asked is None:
        raise InputError("eval=manipulation measures data=manipulation; use it")
    return asked
