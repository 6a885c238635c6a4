"""The router: kinds of questions by their words, and the best method of each."""

import pytest

from physlm.hybrid.router import Method, Router

QUESTIONS = {
    "year": ["In which year was {} born?", "What year is the birth year of {}?"],
    "even": ["Was {} born in an even month?", "Is the birth month of {} an even one?"],
    "name": ["What is the full name of the person born on {}?", "Who was born on {}?"],
}
PEOPLE = ["Ann B. Cole", "Dan E. Fox", "Guy H. Inn"]


def examples(people=PEOPLE):
    pairs = [
        (text.format(person), kind)
        for kind, texts in QUESTIONS.items()
        for text in texts
        for person in people
    ]
    return zip(*pairs, strict=True)


ACCURACIES = {
    "year": {Method.model: 0.4, Method.grounded: 0.9, Method.hint: 0.5},
    "even": {Method.model: 0.5, Method.hint: 0.9, Method.grounded: 0.9, Method.database: 0.0},
    "name": {Method.database: 1.0, Method.model: 0.0},
}


@pytest.fixture(scope="module")
def router():
    return Router.fitted(*examples(), ACCURACIES)


def test_kinds_are_told_by_words_whoever_is_asked_about(router):
    for question, kind in zip(*examples(["Kim L. Moe", "May 3, 1990 in New York"]), strict=True):
        assert router.kind(question) == kind


def test_the_best_method_is_chosen_and_of_equal_ones_the_first(router):
    assert router.method("In which year was Kim born?") is Method.grounded
    assert router.method("Was Kim born in an even month?") is Method.hint
    assert router.method("Who was born on May 3?") is Method.database


def test_unknown_words_alone_decide_nothing(router):
    assert router.kind("zebra") in QUESTIONS
    assert router.kind("") in QUESTIONS


def test_probabilities_are_those_of_the_rule_of_succession(router):
    """Of six questions about the year, three have the word which, and all the word year."""
    present = router.log_probabilities[router.kinds.index("year"), router.words["which"], 1]
    assert present == pytest.approx(-0.6931471805599453)  # (3 + 1) / (6 + 2)
