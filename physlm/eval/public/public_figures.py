"""Knowledge of public figures: retrieval, manipulation and inverse search."""

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
    from physlm.data.public.corpus import PublicFiguresCorpus
    from physlm.data.public.questions import PublicTask
    from physlm.models.language_model import LanguageModel

MAX_SHOTS = 64  # drawn from the other people of the table


@register("eval", "public_figures")
@dataclass(kw_only=True, slots=True)
class PublicFiguresScorerConfig(ScorerConfig):
    """Exact match of the first line of each answer, decoded greedily after a few-shot prompt.

    The shots are questions of the same task about other people, with answers, so that a model
    without instruction tuning knows the format. Chance is always giving the most common answer.
    Other people born on the same date are not in the table, so that accuracies of names by date
    are a lower bound. Tasks that a physlm model was trained on have split ``train``. A reasoning
    model that is cut off after ``max_new_tokens`` before answering counts as wrong; the fraction of
    such questions is then reported as ``cut_off``.

    Source:
        Physics of Language Models, Part 3.2, sections 5 and 6 (GPT-4 asked about celebrities).
    """

    version: ClassVar[int] = 2
    measures_checkpoints: ClassVar[bool] = True

    n_shots: int = 3  # questions with answers before each question
    batch_size: int = 16  # questions per batch
    max_new_tokens: int = 32  # of an answer

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 0, "n_shots")
        require_at_least(self, 1, "batch_size", "max_new_tokens")
        if self.n_shots > MAX_SHOTS:
            raise ValueError(f"n_shots={self.n_shots}; must be at most {MAX_SHOTS}")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus is of public figures, and the model can read and answer its questions."""
        from physlm.data.public.questions import TASKS
        from physlm.eval.public.questions import prompts_of

        known = _known(corpus)
        require_causal("public_figures", model, "does not answer")
        prompts = [p for task in TASKS for p in prompts_of(task, known.seed, self.n_shots)]
        if model.text is not None:
            model.text.require_reads(prompts, self.max_new_tokens)
        else:
            longest = max(len(known.vocabulary.encode(prompt)) for prompt in prompts)
            require_window(model, "questions and answers", longest + 1 + self.max_new_tokens)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy and chance of each task."""
        from physlm.data.public.questions import TASKS

        known = _known(corpus)
        found = (self._of_task(model, known, task) for task in TASKS)
        return Measurement(tuple(metric for metrics in found for metric in metrics))

    def _of_task(
        self, model: "LanguageModel", known: "PublicFiguresCorpus", task: "PublicTask"
    ) -> list[Metric]:
        from physlm.eval.public.answers import answers_of, report_cut_off
        from physlm.eval.public.questions import is_right_by_chance, prompts_of, questions_of

        questions = questions_of(task, known.seed)
        prompts = prompts_of(task, known.seed, self.n_shots)
        answers = answers_of(
            model,
            known,
            prompts,
            label=f"asking {task.name}",
            batch_size=self.batch_size,
            max_new_tokens=self.max_new_tokens,
        )
        is_right = [
            answer is not None and task.is_right(question, answer)
            for question, answer in zip(questions, answers, strict=True)
        ]
        measured = {"accuracy": is_right, "chance": is_right_by_chance(task, questions)}
        is_cut_off = [answer is None for answer in answers]
        if any(is_cut_off):
            measured["cut_off"] = is_cut_off
            report_cut_off(task.name, is_cut_off, self.max_new_tokens)
        split = "train" if task.is_trained and known.config.exposures > 0 else "test"
        return [
            mean(
                f"public_figures/{name}", np.array(values), "fraction", split=split, task=task.name
            )
            for name, values in measured.items()
        ]


def _known(corpus: "Corpus") -> "PublicFiguresCorpus":
    from physlm.data.public.corpus import PublicFiguresCorpus

    if not isinstance(corpus, PublicFiguresCorpus):
        raise InputError("eval=public_figures measures data=public_figures; use that world")
    return corpus
