"""Questions about people, and which of them a model answers exactly."""

from collections import Counter

import numpy as np
from jaxtyping import Bool, Int64

from physlm.data.people.questions import QuestionCorpus
from physlm.eval.answers import written_answers
from physlm.models.language_model import LanguageModel


def grid(
    people: Int64[np.ndarray, " people"], questions: QuestionCorpus
) -> tuple[Int64[np.ndarray, " questions"], Int64[np.ndarray, " questions"]]:
    """Every attribute of every person, as one row of each."""
    n = len(questions.attributes)
    return np.repeat(people, n), np.tile(np.arange(n), len(people))


def is_answered(
    model: LanguageModel,
    questions: QuestionCorpus,
    people: Int64[np.ndarray, " questions"],
    attributes: Int64[np.ndarray, " questions"],
    paraphrases: Int64[np.ndarray, " questions"],
    batch_size: int,
) -> Bool[np.ndarray, " questions"]:
    """Whether the model's answer to each question, read as text, is the right one and ends.

    Args:
        model: What answers.
        questions: The corpus that asks.
        people: Whom each question is about.
        attributes: What it asks for.
        paraphrases: Its paraphrase.
        batch_size: Questions read at once.
    """
    answers = written_answers(
        model,
        questions.vocabulary,
        questions.prompts(people, attributes, paraphrases),
        max_new_tokens=questions.longest_answer + 1,
        batch_size=batch_size,
    )
    truth = [questions.answer(p, a) for p, a in zip(people, attributes, strict=True)]
    return np.array([a.ends_as({right}) for a, right in zip(answers, truth, strict=True)])


def likeliest(
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
