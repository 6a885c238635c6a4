"""Knowledge of public figures: retrieval, manipulation and inverse search."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.public.corpus import PublicFiguresCorpus
    from physlm.eval.public.questions import Asked
    from physlm.models.language_model import LanguageModel

MAX_SHOTS = 64  # drawn from the other people of the table


@register("eval", "public_figures")
@dataclass(kw_only=True, slots=True)
class PublicFiguresScorerConfig(ScorerConfig):
    """Exact match of the first line of each answer, decoded greedily after a few-shot prompt.

    The shots are questions of the same task about other people, with answers, so that a model
    without instruction tuning knows the format. Chance is always giving the most common answer.
    Other people born on the same date are not in the table, so accuracies of names by date are
    lower bounds. ``accuracy_where_known`` is that for people whose birth dates the model gives.

    With ``has_hints``, shots show birth dates first and then the answer that follows, and the model
    writes both: ``accuracy_with_hint`` is the accuracy of its answers, ``hint_accuracy`` that of
    its dates, ``hint_effect`` the gain. For ``accuracy_given_hint``, the facts precede the
    question, in inverse search among those of two other people: the control that a model could
    answer if it recalled them. With ``has_paraphrases``, dates and places are asked for in four
    phrasings (``phrasing_accuracy``); ``phrasing_agreement`` is the fraction of people with all of
    them right, or all wrong.

    Tasks that a physlm model was trained on have split ``train``. A reasoning model that is cut off
    after ``max_new_tokens`` before answering counts as wrong; the fraction of such questions is
    then reported as ``cut_off``.

    Source:
        Physics of Language Models, Part 3.2, sections 5 and 6 (GPT-4 asked about celebrities).
    """

    version: ClassVar[int] = 4
    measures_checkpoints: ClassVar[bool] = True
    measures_answers: ClassVar[bool] = True

    n_shots: int = 3  # questions with answers before each question
    n_people: int | None = None  # people that questions are about, drawn at random; null: all
    has_hints: bool = False  # ask also with hints, written by the model and given
    has_paraphrases: bool = False  # ask for dates and places in four wordings
    batch_size: int = 16  # questions per batch
    max_new_tokens: int = 32  # of an answer; three times as many with a hint

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 0, "n_shots")
        require_at_least(self, 1, "batch_size", "max_new_tokens")
        if self.n_people is not None:
            require_at_least(self, 2, "n_people")
        if self.n_shots > MAX_SHOTS:
            raise ValueError(f"n_shots={self.n_shots}; must be at most {MAX_SHOTS}")
        if self.has_hints and not self.n_shots:
            raise ValueError(
                "has_hints=true with n_shots=0; shots show how to write hints; raise n_shots"
            )

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has public figures, and the model can read and answer its questions."""
        known = _known(corpus)
        require_causal("public_figures", model, "does not answer")
        for asked in self._asks(known.seed):
            n_new = self._n_new(asked)
            if model.answering is not None:
                model.answering.require_reads(asked.prompts, n_new)
            else:
                longest = max(len(known.vocabulary.encode(prompt)) for prompt in asked.prompts)
                require_window(model, "questions and answers", longest + 1 + n_new)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracies and chance of each task, and every answer."""
        from physlm.eval.public.answers import answered
        from physlm.eval.public.public_metrics import answer_table, task_metrics

        known = _known(corpus)
        found = [
            answered(
                model, known, asked, batch_size=self.batch_size, max_new_tokens=self._n_new(asked)
            )
            for asked in self._asks(known.seed)
        ]
        # Only training on these questions gives a physlm model their vocabulary.
        metrics = task_metrics(found, is_trained=model.answering is None)
        return Measurement(tuple(metrics), tables={"public_figures_answers": answer_table(found)})

    def _asks(self, seed: int) -> "list[Asked]":
        """What is asked, in order of tasks, hints and phrasings."""
        from physlm.data.public.questions import TASKS
        from physlm.eval.public.questions import Asked, Hint

        found = list[Asked]()
        for task in TASKS:
            plain = Asked(task, seed, self.n_shots, self.n_people)
            found.append(plain)
            if self.has_hints and task.is_written_out:
                found.append(replace(plain, hint=Hint.written))
            if self.has_hints and task.fact is not None:
                found.append(replace(plain, hint=Hint.given))
            if self.has_paraphrases:
                found += [replace(plain, phrasing=k) for k in range(1, task.n_phrasings)]
        return found

    def _n_new(self, asked: "Asked") -> int:
        """Tokens of an answer."""
        from physlm.eval.public.questions import Hint

        return self.max_new_tokens * (3 if asked.hint is Hint.written else 1)


def _known(corpus: "Corpus") -> "PublicFiguresCorpus":
    from physlm.data.public.corpus import PublicFiguresCorpus

    if not isinstance(corpus, PublicFiguresCorpus):
        raise InputError("eval=public_figures measures data=public_figures; use that world")
    return corpus
