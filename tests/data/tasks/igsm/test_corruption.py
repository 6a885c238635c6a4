"""Wrong solutions are refused for what was done to them, and are as long as the right ones."""

import numpy as np
import pytest

from physlm.data.labelled import Labelled
from physlm.data.tasks.igsm import IgsmConfig, Layout, check
from physlm.data.tasks.igsm.corruption import VIOLATIONS
from physlm.data.tasks.igsm.language import LETTERS, words_of_tokens
from physlm.data.tasks.igsm.problem_reading import problem_of
from physlm.data.tasks.igsm.solution_reading import read_solution

N = 100
BOUNDS = {
    "small": {"op_max": 4, "ip_max": 12, "seq_len": 384},
    "question first": {"op_max": 6, "ip_max": 12, "seq_len": 450, "layout": Layout.qp},
    "masked retries": {
        "op_max": 6,
        "ip_max": 12,
        "seq_len": 700,
        "retry_rate": 0.3,
        "has_masked_retries": True,
    },
}


@pytest.fixture(scope="module", params=BOUNDS)
def corpus(request):
    return IgsmConfig(**BOUNDS[request.param]).build(0)


def verdicts(texts):
    problems = [problem_of(words_of_tokens(own.tolist())) for own in texts.tokens]
    return problems, [check(problem, problem.solution) for problem in problems]


@pytest.mark.parametrize("n_errors", [1, 2])
@pytest.mark.parametrize("corruption", VIOLATIONS)
def test_every_wrong_solution_is_refused_for_what_was_done_and_every_right_one_accepted(
    corpus, corruption, n_errors
):
    if (corruption, n_errors) == ("answer", 2):
        return  # there is one answer
    texts = corpus.labelled(N, corruption, n_errors)
    problems, found = verdicts(texts)
    assert len(texts) == 2 * N
    for problem, own, wrong_problem, wrong in zip(
        problems[::2], found[::2], problems[1::2], found[1::2], strict=True
    ):
        assert own.is_right
        assert (wrong_problem.text, wrong_problem.question) == (problem.text, problem.question)
        assert wrong.format
        first = wrong.faults[0].kind.value
        kinds = {fault.kind.value for fault in wrong.faults}
        if corruption == "answer":
            assert kinds == {"wrong_answer"}
        elif corruption == "order":
            assert first == "undefined_letter"
            assert not wrong.order
            assert wrong.calculation
            assert wrong.answer
        elif corruption == "parameter":
            assert first in {"missing_parent", "extra_parent"}
            assert not wrong.necessity
            assert wrong.order
            assert len(wrong.unnecessary) == n_errors
        else:
            assert first == "wrong_result"
            assert not wrong.calculation
            assert wrong.order
            assert wrong.necessity
            n_wrong = sum(fault.kind.value == "wrong_result" for fault in wrong.faults)
            assert n_wrong == n_errors
            is_carried = corruption == "calculation"
            # A value that is carried on is quoted as it was written; the answer is the last one.
            assert not (is_carried and "wrong_number" in kinds)
            assert is_carried or wrong.answer
            written = read_solution(wrong_problem.solution)
            last = written.sentences[-1].operations[-1].result
            assert not is_carried or written.answer == last


@pytest.mark.parametrize("corruption", VIOLATIONS)
def test_the_texts_of_a_pair_are_equally_long_and_differ_from_the_error_on(corpus, corruption):
    texts = corpus.labelled(50, corruption, 1)
    for right, wrong, at, *given in zip(
        texts.tokens[::2],
        texts.tokens[1::2],
        texts.error_position[1::2],
        texts.n_given[::2],
        texts.n_given[1::2],
        strict=True,
    ):
        assert len(right) == len(wrong)
        assert np.array_equal(right[:at], wrong[:at])
        assert right[at] != wrong[at]
        solution = right.tolist().index(corpus.task.mark("<solution>"))
        assert at > solution
        assert {*given} == {solution + 1}
    if corruption in {"answer", "order"}:
        is_last = [
            at == len(own) - 1 for at, own in zip(texts.error_position, texts.tokens, strict=True)
        ]
        assert all(is_last[1::2]) == (corruption == "answer")
    if corruption == "order":
        for right, wrong in zip(texts.tokens[::2], texts.tokens[1::2], strict=True):
            assert words_without_letters(right) == words_without_letters(wrong)
            # The order of the letters does not give the error away.
            assert letters_in_order(right) == letters_in_order(wrong)


def words_without_letters(text):
    return sorted(word for word in words_of_tokens(text.tolist()) if word not in LETTERS)


def letters_in_order(text):
    written = read_solution(problem_of(words_of_tokens(text.tolist())).solution)
    letters = [
        letter
        for sentence in written.sentences
        if not sentence.is_back
        for letter in (sentence.letter, *(own.letter for own in sentence.operations))
    ]
    return list(dict.fromkeys(letters))


def test_problems_are_of_the_test_and_of_the_most_operations_and_repeat(corpus):
    texts = corpus.labelled(20, "calculation", 1)
    again = corpus.labelled(20, "calculation", 1)
    assert all(np.array_equal(a, b) for a, b in zip(texts.tokens, again.tokens, strict=True))
    (evaluation,) = corpus.task.evaluations
    test = {tuple(own) for own in np.split(*_split(corpus.measured(evaluation, 0, 200)))}
    assert {tuple(own) for own in texts.tokens[::2]} <= test
    assert {tuple(own) for own in texts.tokens[1::2]}.isdisjoint(test)


def _split(documents):
    return documents.tokens, documents.starts[1:-1]


def test_a_world_of_igsm_has_labelled_texts_and_refuses_what_cannot_be_done(corpus):
    assert isinstance(corpus, Labelled)
    assert corpus.corruptions == VIOLATIONS
    for arguments, message in (
        ((10, "answer", 2), "corruption=answer, n_errors=2: only 0 of 200 texts"),
        ((10, "typo", 1), "corruption='typo' is unknown in this world; use one of calculation"),
        ((0, "order", 1), "n_problems=0; must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            corpus.labelled(*arguments)
        assert "\n" not in str(refused.value)
