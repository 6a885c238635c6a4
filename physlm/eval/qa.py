"""Answers to questions about people: those that training asked about, and others."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from physlm.data.bio.questions import N_PHRASINGS, QuestionCorpus
from physlm.data.corpus import Corpus, require_at_least
from physlm.data.mixture import part_of
from physlm.errors import InputError
from physlm.eval.generate import Sampling, generate
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window, sample
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream

IN, OUT = "in_distribution", "out_of_distribution"


@register("eval", "qa")
@dataclass(kw_only=True, slots=True)
class QaConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    In distribution are people whose questions were trained on, out of distribution all others.
    Every attribute is asked for in the first phrasing; then all of them in phrasings that training
    did not have, if there are any. Chance is always giving the answer commonest in training.

    Source:
        Physics of Language Models, Part 3.1, section 2.2.
    """

    max_people: int = 1000  # of each split; above that, a sample
    batch_size: int = 512  # questions read at once

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "max_people", "batch_size")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The corpus asks questions, and the model reads and answers them."""
        questions = _questions(corpus)
        require_causal("qa", model, "does not answer")
        needed = questions.longest_question + questions.longest_answer
        require_window(model, "questions and answers", needed)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Exact match in both splits, by attribute, and in untrained phrasings."""
        questions = _questions(corpus)
        metrics = []
        for split in (IN, OUT):
            people, attributes = _grid(self._people(questions, split), questions)
            phrasings = np.zeros(len(people), dtype=np.int64)
            is_right = self._is_right(model, questions, people, attributes, phrasings)
            metrics.append(mean("qa/exact_match", is_right, "share", split=split))
            metrics += [
                mean(f"qa/exact_match/{name}", is_right[attributes == a], "share", split=split)
                for a, name in enumerate(questions.attributes)
            ]
            is_likeliest = _likeliest(questions, people, attributes)
            metrics.append(mean("qa/chance", is_likeliest, "share", split=split))
            metrics += [
                mean(f"qa/chance/{name}", is_likeliest[attributes == a], "share", split=split)
                for a, name in enumerate(questions.attributes)
            ]
            if questions.config.n_phrasings < N_PHRASINGS:
                phrasings = stream(questions.world.seed, "phrasings measured").integers(
                    questions.config.n_phrasings, N_PHRASINGS, len(people)
                )
                is_right = self._is_right(model, questions, people, attributes, phrasings)
                metrics.append(mean("qa/untrained_phrasings", is_right, "share", split=split))
        return metrics

    def _people(self, questions: QuestionCorpus, split: str) -> Int64[np.ndarray, " people"]:
        """Everyone of a split, or a sample drawn once."""
        people = np.flatnonzero(questions.is_trained == (split == IN))
        return sample(people, self.max_people, stream(questions.world.seed, "people asked", split))

    def _is_right(
        self,
        model: LanguageModel,
        questions: QuestionCorpus,
        people: Int64[np.ndarray, " questions"],
        attributes: Int64[np.ndarray, " questions"],
        phrasings: Int64[np.ndarray, " questions"],
    ) -> Bool[np.ndarray, " questions"]:
        """Whether the model's answer to each question, read as text, is the right one and ends."""
        sampling = Sampling(
            max_new_tokens=questions.longest_answer + 1, eos=questions.vocabulary.eos,
            temperature=0.0, batch_size=self.batch_size, is_compiled=model.device.type == "cuda",
        )  # fmt: skip
        prompts = questions.prompts(people, attributes, phrasings)
        written = generate(model, prompts, sampling, seed=0)
        answers = [questions.vocabulary.decode(tokens).strip() for tokens in written.tokens]
        truth = [questions.answer(p, a) for p, a in zip(people, attributes, strict=True)]
        is_right: np.ndarray = (np.array(answers) == np.array(truth)) & written.is_ended
        return is_right


def _questions(corpus: Corpus) -> QuestionCorpus:
    questions = part_of(corpus, QuestionCorpus)
    if questions is None:
        raise InputError("eval=qa asks questions; use data=questions, alone or in a mixture")
    return questions


def _likeliest(
    questions: QuestionCorpus,
    people: Int64[np.ndarray, " questions"],
    attributes: Int64[np.ndarray, " questions"],
) -> Bool[np.ndarray, " questions"]:
    """Where the answer is the commonest one of those whom training asks about."""
    trained = np.flatnonzero(questions.is_trained).tolist()
    commonest = [
        Counter(questions.answer(p, a) for p in trained).most_common(1)[0][0]
        for a in range(len(questions.attributes))
    ]
    return np.array(
        [questions.answer(p, a) == commonest[a] for p, a in zip(people, attributes, strict=True)]
    )


def _grid(
    people: Int64[np.ndarray, " people"], questions: QuestionCorpus
) -> tuple[Int64[np.ndarray, " questions"], Int64[np.ndarray, " questions"]]:
    """Every attribute of every person, as one row of each."""
    n = len(questions.attributes)
    return np.repeat(people, n), np.tile(np.arange(n), len(people))
