"""Answers to questions about people, their exact match, and its chance level."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from physlm.data.people.questions import QuestionCorpus
from physlm.eval.answers import greedy_answers, most_common_answer
from physlm.models.language_model import LanguageModel


def all_questions(
    people: Int64[np.ndarray, " people"], questions: QuestionCorpus
) -> tuple[Int64[np.ndarray, " questions"], Int64[np.ndarray, " questions"]]:
    """Indices of person and attribute for every pair of the two."""
    n = len(questions.attributes)
    return np.repeat(people, n), np.tile(np.arange(n), len(people))


def answered(
    model: LanguageModel,
    questions: QuestionCorpus,
    people: Int64[np.ndarray, " questions"],
    attributes: Int64[np.ndarray, " questions"],
    paraphrases: Int64[np.ndarray, " questions"],
    batch_size: int,
) -> pl.DataFrame:
    """The model's answer to each question.

    Args:
        model: The model that answers.
        questions: The QA corpus.
        people: Index of the person in each question.
        attributes: Index of the attribute in each question.
        paraphrases: Index of the paraphrase of each question.
        batch_size: Questions per batch.

    Returns:
        One row per question: ``person``, ``attribute``, ``question``, ``truth``, ``answer``, and
        ``is_right``: whether the answer is the correct text, and the model ended it.
    """
    answers = greedy_answers(
        model,
        questions.vocabulary,
        questions.prompts(people, attributes, paraphrases),
        max_new_tokens=questions.longest_answer + 1,
        batch_size=batch_size,
    )
    correct = [questions.answer(p, a) for p, a in zip(people, attributes, strict=True)]
    names = questions.world.full_names()
    return pl.DataFrame(
        {
            "person": [names[person] for person in people],
            "attribute": [questions.attributes[attribute] for attribute in attributes],
            "question": questions.questions(people, attributes, paraphrases),
            "truth": correct,
            "answer": [answer.text for answer in answers],
            "is_right": [a.matches({text}) for a, text in zip(answers, correct, strict=True)],
        }
    )


def is_most_common(
    questions: QuestionCorpus,
    people: Int64[np.ndarray, " questions"],
    attributes: Int64[np.ndarray, " questions"],
) -> Bool[np.ndarray, " questions"]:
    """Whether the correct answer is the most common answer of the QA training set."""
    trained = np.flatnonzero(questions.is_trained).tolist()
    most_common = [
        most_common_answer(questions.answer(p, a) for p in trained)
        for a in range(len(questions.attributes))
    ]
    return np.array(
        [questions.answer(p, a) == most_common[a] for p, a in zip(people, attributes, strict=True)]
    )
