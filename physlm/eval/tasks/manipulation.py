"""Knowledge manipulation: accuracy of tasks on stored knowledge, without and with a hint."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window
from physlm.measurement import Measurement, Metric
from physlm.registry import register
from physlm.run_id import LATER

if TYPE_CHECKING:
    import polars as pl

    from physlm.data.corpus import Corpus
    from physlm.data.tasks.manipulation import ManipulationCorpus
    from physlm.data.tasks.task import Task
    from physlm.models.language_model import LanguageModel


@register("eval", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationScorerConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    The split is ``train_people``, who are in the QA training set, or ``held_out_people``; pairs are
    of two people of one split. Chance is the accuracy of always giving the most common answer of
    the training set. If training has hints, the model also generates a hint before the answer:
    ``hint_accuracy`` is the fraction of correct hints, ``accuracy_with_hint`` that of correct
    answers after them, and ``hint_faithfulness`` the fraction of answers that follow from a given
    hint about other people, over the questions whose answer it changes. An answer longer than any
    correct one, with room for a hint of twice the length, is cut and counted in ``unfinished`` or
    ``unfinished_with_hint``. The table ``manipulation_answers`` has every answer, and the first of
    the correct ones as its truth.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    version: ClassVar[int] = 2
    max_questions: int = 1000  # of each task and split; more are sampled
    batch_size: int = 512  # questions per batch
    n_curve_questions: int = field(default=200, metadata=LATER)  # same, during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "max_questions", "batch_size")
        require_at_least(self, 2, "n_curve_questions")  # enough for tasks that compare two people

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has manipulation tasks, and the model can read and answer their questions."""
        from physlm.eval.tasks.questions import longest_prompt, most_new_tokens

        questions = _questions(corpus)
        require_causal("manipulation", model, "does not answer")
        for task in questions.tasks:
            self._require_questions(task, questions)
            needed = longest_prompt(task, questions) + most_new_tokens(
                task, questions, writes_hint=False
            )
            what = f"questions, hints and answers of {task.name}"
            require_window(model, what, needed, n_unread=1)

    def _require_questions(self, task: "Task", questions: "ManipulationCorpus") -> None:
        """Both splits have questions, and enough people for tasks that compare two."""
        from physlm.eval.tasks.questions import splits

        for split, people in splits(task, questions):
            n_questions = min(self.max_questions, len(task.distinct(questions.fact_table, people)))
            if n_questions < task.n_people:
                raise InputError(
                    f"eval.manipulation: {task.name} needs {task.n_people} people of each split, "
                    f"but only {n_questions} of {split} have questions; use more people, a larger "
                    f"data.pool_size, or max_questions={task.n_people} or more"
                )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy and chance of each task in both splits."""
        import polars as pl

        questions = _questions(corpus)
        found = [self._of_task(model, questions, task) for task in questions.tasks]
        metrics = tuple(metric for own, _ in found for metric in own)
        tables = [table for _, own in found for table in own]
        answers = pl.concat(tables, how="diagonal")
        return Measurement(metrics, tables={"manipulation_answers": answers})

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """Accuracy alone, without and with a hint, on fewer questions."""
        n = min(self.max_questions, self.n_curve_questions)
        found = replace(self, max_questions=n).measure(model, corpus).metrics
        kept = {"manipulation/accuracy", "manipulation/accuracy_with_hint"}
        return [metric for metric in found if metric.name in kept]

    def _of_task(
        self, model: "LanguageModel", questions: "ManipulationCorpus", task: "Task"
    ) -> "tuple[list[Metric], list[pl.DataFrame]]":
        """The metrics of a task, and a table of answers for each split."""
        import polars as pl

        from physlm.eval.tasks.answers import TaskQuestions, with_hint, without_hint
        from physlm.eval.tasks.questions import accepted_answers, most_common, questions_of, splits

        metrics, tables, common = [], [], most_common(task, questions)
        for split, people in splits(task, questions):
            items = questions_of(task, questions, people, split, self.max_questions)
            right = accepted_answers(task, questions, items)
            of_task = TaskQuestions(questions, task, items, right, self.batch_size)
            values, columns = without_hint(model, of_task)
            values["chance"] = [common in answers for answers in right]
            if questions.config.hint_fraction and items.hint:
                more_values, more_columns = with_hint(model, of_task)
                values |= more_values
                columns |= more_columns
            metrics += [
                mean(f"manipulation/{name}", np.array(own), "fraction", split=split, task=task.name)
                for name, own in values.items()
            ]
            texts = {
                "question": questions.texts(items.question),
                "truth": questions.texts(items.answer),
            }
            table = pl.DataFrame({**texts, **columns})
            tables.append(
                table.select(pl.lit(task.name).alias("task"), pl.all(), split=pl.lit(split))
            )
        return metrics, tables


def _questions(corpus: "Corpus") -> "ManipulationCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.tasks.manipulation import ManipulationCorpus

    questions = part_of(corpus, ManipulationCorpus)
    if questions is None:
        raise InputError(
            "eval=manipulation measures the tasks of data=manipulation; use that world"
        )
    return questions
