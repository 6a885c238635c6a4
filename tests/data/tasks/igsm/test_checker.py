"""The checker against a worked example, and against every kind of damage to a solution."""

import itertools

import pytest

from physlm.data.tasks.igsm import Parameter, check, read_problem
from tests.data.tasks.igsm.example import PROBLEM, QUESTION, SENTENCES, SMALL_WORLD, SOLUTION


@pytest.fixture(scope="module")
def problem():
    return read_problem(f"{PROBLEM} {QUESTION}", SMALL_WORLD)


def kinds(problem, text):
    return [fault.kind.value for fault in check(problem, text).faults]


def test_the_worked_example(problem):
    assert problem.text == PROBLEM
    assert problem.question == QUESTION
    assert problem.query == Parameter("Salt Yard", "Nail", 2)
    assert problem.answer == 20
    assert {p.name: v for p, v in problem.values.items()} == {
        "Ash Crate's Tin Nail": 9,
        "Ash Crate's Nail": 9,
        "Salt Yard's Ash Crate": 15,
        "Salt Yard's Bog Crate": 5,
        "Bog Crate's Nail": 0,
        "Salt Yard's Nail": 20,
        "Salt Yard's Store": 20,
    }
    verdict = check(problem, f"{SOLUTION} <answer> 20")
    assert verdict.is_right
    assert (verdict.format, verdict.order, verdict.calculation, verdict.necessity) == (True,) * 4
    assert (verdict.answer, verdict.unnecessary, verdict.n_back) == (True, (), 0)


def test_the_question_may_come_first(problem):
    other = read_problem(f"<problem> {QUESTION} {PROBLEM} <solution> {SOLUTION}", SMALL_WORLD)
    assert other.is_question_first
    assert not problem.is_question_first
    assert other.values == problem.values


def test_exactly_the_topological_orders_are_accepted(problem):
    # Of the first five sentences: the sixth needs them all, 2 and 3 the first, 4 the third.
    for order in itertools.permutations(range(5)):
        place = {number: at for at, number in enumerate(order)}
        text = " ".join([*(SENTENCES[number] for number in order), SENTENCES[5], "<answer> 20"])
        is_valid = place[0] < place[1] and place[0] < place[2] < place[3]
        verdict = check(problem, text)
        assert verdict.is_right == is_valid
        assert verdict.order == is_valid


def test_an_unnecessary_parameter_is_counted_and_allowed(problem):
    more = "Define Salt Yard's Store as w; so w = d + T = 15 + 5 = 20."
    text = " ".join([*SENTENCES[:5], more, SENTENCES[5], "<answer> 20"])
    verdict = check(problem, text)
    assert verdict.is_right
    assert verdict.unnecessary == (Parameter("Salt Yard", "Store", 1),)


def test_what_is_taken_back_is_skipped(problem):
    back = "Define Salt Yard's Nail as [back]. Define Nothing at all as [back]."
    verdict = check(problem, f"{SENTENCES[0]} {back} {' '.join(SENTENCES[1:])} <answer> 20")
    assert verdict.is_right
    assert verdict.n_back == 2


def test_intermediate_letters_stand_for_their_parents(problem):
    # The difference d - k is used once more, as r, to compute the same parameter otherwise.
    text = SOLUTION.replace("so T = 20 \u00d7 r", "s = r + r = 6 + 6 = 12; so T = 20 \u00d7 r")
    assert check(problem, f"{text} <answer> 20").is_right


DAMAGE = {
    "a sentence of another form": ("Define Ash Crate's Nail as M; so", "Ash Crate's Nail is", 0),
    "a missing result": ("so k = 9.", "so k.", 0),
    "a cut sentence": (SENTENCES[5][-35:], "", 0),
    "a name that the problem has not": ("Bog Crate's Nail as", "Bog Crate's Tin Nail as", 1),
    "another letter at the end": ("so d = 6", "so e = 6", 2),
    "no answer mark": ("<answer> 20", "", 3),
    "no answer": ("<answer> 20", "<answer>", 3),
    "two answers": ("<answer> 20", "<answer> 20 20", 3),
    "a letter that is never defined": ("20 \u00d7 r", "20 \u00d7 z", 4),
    "a sentence left out": (SENTENCES[4], "", 4),
    "a letter defined twice": ("b = T", "a = T", 5),
    "a parameter defined twice": (SENTENCES[1], f"{SENTENCES[1]} {SENTENCES[1]}", 6),
    "a number of another letter": ("= 6 + 9 = 15", "= 6 + 8 = 14", 7),
    "another constant in numbers": ("= 6 + 9 = 15", "= 5 + 9 = 14", 7),
    "another operator in numbers": ("= 20 + 0", "= 20 - 0", 8),
    "a wrong result": ("15 \u2212 9 = 6;", "15 \u2212 9 = 7;", 9),
    "a result that is not below 23": ("15 \u00d7 9 = 20;", "15 \u00d7 9 = 43;", 9),
    "a wrong constant": ("so k = 9", "so k = 8", 10),
    "a wrong operator": ("k = 15 \u2212 9 = 6", "k = 15 + 9 = 1", None),
    "a wrong constant of a sum": ("6 + k = 6 + 9 = 15", "7 + k = 7 + 9 = 16", 10),
    "a parent left out": ("so H = a + b = 20 + 0 = 20", "so H = a = 20", 11),
    "a parent too many": ("so M = k = 9", "so M = k + u = 9 + 0 = 9", None),
    "another parent of the same value": ("so d = 6 + k", "so d = 6 + M", 11),
    "the question not last": ("<answer>", "Define Salt Yard's Store as w; so w = d + T = 15 + 5 = "
                              "20. <answer>", 13),
    "a wrong answer": ("<answer> 20", "<answer> 19", 14),
}  # fmt: skip
NAMES = (
    *("unreadable_sentence", "unknown_parameter", "wrong_letter", "no_answer"),
    *("undefined_letter", "repeated_letter", "repeated_parameter"),
    *("wrong_number", "wrong_operator", "wrong_result", "wrong_value"),
    *("missing_parent", "extra_parent", "question_not_last", "wrong_answer"),
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(problem, damage):
    old, new, expected = DAMAGE[damage]
    text = f"{SOLUTION} <answer> 20"
    assert text.count(old) == 1
    found = kinds(problem, text.replace(old, new))
    assert found
    if expected is not None:
        assert found[0] == NAMES[expected]


def test_a_wrong_constant_with_the_right_answer_is_found(problem):
    # Every number follows from k = 8, and 14 x 8 is 15 x 9 modulo 23.
    wrong = SOLUTION
    for old, new in (
        ("k = 9", "k = 8"),
        ("6 + 9 = 15", "6 + 8 = 14"),
        ("15 \u2212 9 = 6", "14 \u2212 8 = 6"),
        ("15 \u00d7 9 = 20", "14 \u00d7 8 = 20"),
    ):
        wrong = wrong.replace(old, new)
    verdict = check(problem, f"{wrong} <answer> 20")
    assert verdict.answer
    assert [(fault.kind.value, fault.sentence) for fault in verdict.faults] == [
        ("wrong_value", number) for number in range(3)
    ]
    assert not verdict.calculation
    assert verdict.format
    assert verdict.order
    assert verdict.necessity


def test_an_operand_that_is_used_before_its_sentence(problem):
    text = " ".join([SENTENCES[1], SENTENCES[0], *SENTENCES[2:], "<answer> 20"])
    assert kinds(problem, text)[0] == "undefined_letter"


def test_an_extra_parent_is_named(problem):
    text = " ".join([SENTENCES[0], SENTENCES[4], SENTENCES[1], *SENTENCES[2:4], SENTENCES[5]])
    text = text.replace("so M = k = 9", "so M = k + u = 9 + 0 = 9")
    assert kinds(problem, f"{text} <answer> 20") == ["extra_parent"]


@pytest.mark.parametrize(
    "text", ["", ".", "...", "<answer>", "20", "Define", "Define as", "= ; so"]
)
def test_what_is_no_solution_has_faults_and_no_error(problem, text):
    verdict = check(problem, text)
    assert not verdict.is_right
    assert not verdict.answer
    assert not verdict.format


def test_a_fault_is_one_line(problem):
    (fault,) = check(problem, f"{SOLUTION} <answer> 19").faults
    assert str(fault) == "sentence 6: wrong answer: 19"


UNREADABLE = {
    "not a sentence of a problem": ("equals 9", "is 9"),
    "neither an item nor a category": ("Tin Nail equals 9", "Tin Rail equals 9"),
    "cannot hold": ("each Ash Crate's Tin Nail equals 9", "each Tin Nail's Ash Crate equals 9"),
    "two sentences give": (
        "The number of each Salt Yard's Ash Crate",
        "The number of each Salt Yard's Bog Crate",
    ),
    "one question": (QUESTION, ""),
    "ends within": (QUESTION, "How many Nail has"),
    "no solution": ("Tin Nail equals 9", "Tin Nail equals each Salt Yard's Bog Crate"),
    "which no sentence gives": (
        "The number of each Salt Yard's Ash Crate equals 6 more than each Ash Crate's Tin Nail.",
        "",
    ),
    "abstract parameter, which follows": (
        "each Ash Crate's Tin Nail equals",
        "each Ash Crate's Nail equals",
    ),
}


@pytest.mark.parametrize("message", UNREADABLE)
def test_what_is_no_problem_is_refused_in_one_line(message):
    old, new = UNREADABLE[message]
    text = f"{PROBLEM} {QUESTION}"
    assert text.count(old) == 1
    with pytest.raises(ValueError, match=message) as caught:
        read_problem(text.replace(old, new), SMALL_WORLD)
    assert "\n" not in str(caught.value)
