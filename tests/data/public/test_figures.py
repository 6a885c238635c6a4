"""The table of public figures: who is in it, and that its answers tell them apart."""

import re

import pytest

from physlm.data.public.answers import is_name, is_place
from physlm.data.public.figures import SOURCES, figures
from physlm.data.public.questions import TASKS

PEOPLE = figures()
NEIGHBOURS = tuple(zip(PEOPLE, (*PEOPLE[1:], PEOPLE[0]), strict=True))


def test_the_table_has_over_300_people_in_order_of_birth():
    assert len(PEOPLE) >= 300
    assert sorted(PEOPLE, key=lambda person: person.birth_date) == list(PEOPLE)
    # Calendars differed before, and who is younger is not yet in what models read.
    assert all(1700 < person.birth_date.year < 2000 for person in PEOPLE)


def test_every_row_names_two_known_sources():
    for person in PEOPLE:
        assert len(set(person.sources)) == len(person.sources) == 2, person.name
        assert set(person.sources) <= set(SOURCES), person.name


def test_every_name_and_place_is_written_without_stray_spaces_or_commas():
    for person in PEOPLE:
        for text in (person.name, *person.other_names, person.birthplace, *person.other_places):
            assert re.fullmatch(r"[^\s,;(]+( [^\s,;(]+)*", text), (person.name, text)


def test_no_two_people_answer_to_the_same_name():
    assert len({person.name for person in PEOPLE}) == len(PEOPLE)
    shared = [
        (name, another.name)
        for person in PEOPLE
        for name in (person.name, *person.other_names)
        for another in PEOPLE
        if another is not person and is_name(name, another)
    ]
    assert not shared


def test_every_form_of_a_name_and_a_place_is_accepted_alone_and_in_a_sentence():
    for person in PEOPLE:
        for name in (person.name, *person.other_names):
            assert is_name(name, person)
            assert is_name(f"It was {name}.", person)
        for place in (person.birthplace, *person.other_places):
            assert is_place(place, person)
            assert is_place(f"{person.name} was born in {place}, as is well known.", person)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_answer_of_each_question_is_right_and_that_of_another_person_is_not(task):
    n_told_apart = 0
    for person, another in NEIGHBOURS:
        question, other_question = task.ask(person, another), task.ask(another, person)
        assert task.is_right(question, question.answer)
        fits = another in question.fitting or _is_same_answer(task, person, another)
        assert task.is_right(question, other_question.answer) == fits, question.text
        n_told_apart += not fits
    assert n_told_apart > len(PEOPLE) / 3


def _is_same_answer(task, person, another):
    """Whether both questions have the same answer, read from the table alone."""
    if task.name == "birth_year":
        return person.birth_date.year == another.birth_date.year
    if task.name == "birthplace":
        return another.birthplace in (person.birthplace, *person.other_places)
    if task.name == "birth_month_mod_2":
        return (person.birth_date.month - another.birth_date.month) % 2 == 0
    return person.birth_date == another.birth_date and not task.is_inverse


def test_people_with_the_same_birthday_are_all_answers_to_the_question_who_was_born_then():
    by_date = next(task for task in TASKS if task.name == "full_name_from_birth_date")
    twins = [
        (person, another)
        for person, another in NEIGHBOURS
        if person.birth_date == another.birth_date
    ]
    assert twins
    for person, another in twins:
        assert by_date.is_right(by_date.ask(person, another), another.name)
        assert by_date.is_right(by_date.ask(another, person), person.name)
