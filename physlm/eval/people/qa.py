"""QA accuracy on train people and on held-out people."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window, sample
from physlm.eval.splits import HELD_OUT_PEOPLE, STREAMS, TRAIN_PEOPLE
from physlm.measurement import Measurement, Metric
from physlm.registry import register
from physlm.rng import stream
from physlm.run_id import LATER

if TYPE_CHECKING:
    import polars as pl

    from physlm.data.corpus import Corpus
    from physlm.data.people.questions import QuestionCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "qa")
@dataclass(kw_only=True, slots=True)
class QaConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    The split is ``train_people``, whose questions are in the QA training set, or
    ``held_out_people``. All attributes are queried in the first paraphrase, and once more in a
    random held-out paraphrase if there are any. Chance is the accuracy of always giving the most
    common answer of the training set. The table ``qa_answers`` has every answer.

    Source:
        Physics of Language Models, Part 3.1, section 2.2.
    """

    max_people: int = 1000  # of each split; more are sampled
    batch_size: int = 512  # questions per batch
    n_curve_people: int = field(default=100, metadata=LATER)  # of each split, during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "max_people", "batch_size", "n_curve_people")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has questions, and the model can read and answer them."""
        questions = _questions(corpus)
        require_causal("qa", model, "does not answer")
        needed = questions.longest_question + questions.longest_answer
        require_window(model, "questions and answers", needed)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Exact match in both splits, overall, by attribute, and in held-out paraphrases."""
        import polars as pl

        questions = _questions(corpus)
        metrics, tables = list[Metric](), []
        for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
            own, answers = self._of_split(model, questions, split)
            metrics += own
            tables.append(answers.with_columns(split=pl.lit(split)))
        return Measurement(tuple(metrics), tables={"qa_answers": pl.concat(tables)})

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """Exact match in both splits over all attributes, of fewer people."""
        from physlm.eval.people.exact_match import all_questions, answered

        questions = _questions(corpus)
        own = replace(self, max_people=min(self.max_people, self.n_curve_people))
        metrics = []
        for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
            people, attributes = all_questions(own.people(questions, split), questions)
            paraphrases = np.zeros(len(people), dtype=np.int64)
            answers = answered(model, questions, people, attributes, paraphrases, self.batch_size)
            right = answers["is_right"].to_numpy()
            metrics.append(mean("qa/exact_match", right, "fraction", split=split))
        return metrics

    def _of_split(
        self, model: "LanguageModel", questions: "QuestionCorpus", split: str
    ) -> "tuple[list[Metric], pl.DataFrame]":
        """The metrics of a split, and all answers."""
        import polars as pl

        from physlm.data.people.questions import N_PARAPHRASES
        from physlm.eval.people.exact_match import all_questions, answered, is_most_common

        people, attributes = all_questions(self.people(questions, split), questions)
        paraphrases = np.zeros(len(people), dtype=np.int64)
        answers = answered(model, questions, people, attributes, paraphrases, self.batch_size)
        answers = answers.with_columns(is_held_out_paraphrase=pl.lit(value=False))
        measured = {
            "exact_match": answers["is_right"].to_numpy(),
            "chance": is_most_common(questions, people, attributes),
        }
        metrics = []
        for name, values in measured.items():
            metrics.append(mean(f"qa/{name}", values, "fraction", split=split))
            metrics += [
                mean(f"qa/{name}", values[attributes == a], "fraction", split=split, attribute=of)
                for a, of in enumerate(questions.attributes)
            ]
        if questions.config.n_paraphrases < N_PARAPHRASES:
            rng = stream(questions.world.seed, "phrasings measured")
            paraphrases = rng.integers(questions.config.n_paraphrases, N_PARAPHRASES, len(people))
            others = answered(model, questions, people, attributes, paraphrases, self.batch_size)
            right = others["is_right"].to_numpy()
            metrics.append(mean("qa/held_out_paraphrases", right, "fraction", split=split))
            others = others.with_columns(is_held_out_paraphrase=pl.lit(value=True))
            answers = answers.vstack(others)
        return metrics, answers

    def people(self, questions: "QuestionCorpus", split: str) -> np.ndarray:
        """All people of a split, or a fixed sample of them."""
        people = np.flatnonzero(questions.is_trained == (split == TRAIN_PEOPLE))
        rng = stream(questions.world.seed, "people asked", STREAMS[split])
        return sample(people, self.max_people, rng)


def _questions(corpus: "Corpus") -> "QuestionCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.people.questions import QuestionCorpus

    questions = part_of(corpus, QuestionCorpus)
    if questions is None:
        raise InputError(
            "eval=qa needs a corpus of questions; use data=questions, alone or in a mixture"
        )
    return questions
