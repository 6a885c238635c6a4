"""Questions about public figures, and their correct answers."""

import pytest

from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS, line_of

BY_NAME = {task.name: task for task in TASKS}
TURING = next(figure for figure in figures() if figure.name == "Alan Turing")
DARWIN = next(figure for figure in figures() if figure.name == "Charles Darwin")
GOEDEL = next(figure for figure in figures() if figure.name == "Kurt Gödel")


RIGHT = {
    "birth_date": (
        "June 23, 1912",
        "He was born on 23 june 1912.",
        "June 23rd, 1912",
        "1912-06-23",
        "Jun. 23, 1912",
        "the 23rd of June 1912",
        "He may have been born June 23, 1912",
        "June 23, 1912, that is 1912-06-23",
    ),
    "birth_year": ("1912", "In 1912."),
    "birthplace": (
        "london, England",
        "London",
        "Alan Turing was born in London.",
        "He was born in London (Maida Vale)",
        "It is London. He then went to school.",
    ),
    "birth_month_mod_2": ("Yes, June is.", "yes"),
    "full_name_from_birth_date": (
        "Alan Turing",
        "Alan Mathison Turing",
        "It was Alan M. Turing.",
        "Alan Turing, born in London",
    ),
}
WRONG = {
    "birth_date": ("June 24, 1912", "June 1912", "June 23, 1912 or June 24, 1912", "1912-23-06"),
    "birth_year": ("1912 or 1913", "12", ""),
    "birthplace": (
        "Londonderry",
        "London or Manchester",
        "New London",
        "not in London",
        "He was not born in London",
        "Paris, not London",
        "",
    ),
    "birth_month_mod_2": ("No", "", "Even", "June"),
    "full_name_from_birth_date": ("Turing", "Alan Turing and John Smith", "John Turing", ""),
}


@pytest.mark.parametrize(("answers", "is_right"), [(RIGHT, True), (WRONG, False)])
def test_an_answer_is_right_if_it_gives_exactly_the_right_value(answers, is_right):
    for task, lines in answers.items():
        question = BY_NAME[task].ask(TURING, DARWIN)
        assert {line: BY_NAME[task].is_right(question, line) for line in lines} == dict.fromkeys(
            lines, is_right
        )


def test_a_name_that_is_a_city_does_not_answer_where():
    nightingale = next(figure for figure in figures() if figure.name == "Florence Nightingale")
    where = BY_NAME["birthplace"]
    question = where.ask(nightingale, TURING)
    assert not where.is_right(question, "Florence Nightingale was born in Derbyshire")
    assert not where.is_right(question, "Florence Nightingale")
    assert where.is_right(question, "Florence Nightingale was born in Florence, Italy")


def test_alternative_names_are_accepted():
    goedel, kennedy, gandhi = (
        next(f for f in figures() if n in f.name) for n in ("Gödel", "Kennedy", "Mahatma")
    )
    where, by_date = BY_NAME["birthplace"], BY_NAME["full_name_from_birth_date"]
    assert where.is_right(where.ask(goedel, TURING), "Brünn")
    assert by_date.is_right(by_date.ask(kennedy, TURING), "John Fitzgerald Kennedy")
    assert by_date.is_right(by_date.ask(gandhi, TURING), "Mohandas K. Gandhi")


def test_accents_are_ignored_and_every_fitting_person_is_accepted():
    inverse = BY_NAME["full_name_from_birth_date"]
    assert inverse.is_right(inverse.ask(GOEDEL, DARWIN), "Kurt Godel")
    born = inverse.ask(DARWIN, TURING)
    assert inverse.is_right(born, "Abraham Lincoln")
    assert inverse.is_right(born, "Charles Darwin")
    with_place = BY_NAME["full_name_from_date_and_place"]
    assert not with_place.is_right(with_place.ask(DARWIN, TURING), "Abraham Lincoln")


def test_comparisons_are_of_dates():
    ranking = BY_NAME["birth_date_ranking"]
    assert ranking.ask(DARWIN, TURING).answer == "Yes"
    assert ranking.ask(TURING, DARWIN).answer == "No"


def test_training_texts_have_forward_questions_only():
    corpus = PublicFiguresConfig().build(0)
    epoch = corpus.epoch(0, 0, corpus.n_documents)
    texts = {
        corpus.vocabulary.decode(epoch.tokens[start + 1 : end])
        for start, end in zip(epoch.starts, epoch.starts[1:], strict=False)
    }
    trained = ("birth_date", "birth_year", "birthplace")
    asked = [BY_NAME[name].ask(figure, figure) for figure in figures() for name in trained]
    assert texts == {line_of(question.text, question.answer) for question in asked}
    assert corpus.fingerprint() != PublicFiguresConfig().build(1).fingerprint()
