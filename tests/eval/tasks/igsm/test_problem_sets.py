"""Sets of test problems: templates, sizes, lengths, and questions that are redrawn."""

import numpy as np
import pytest

from physlm.data.tasks.igsm import Igsm, IgsmConfig, read_problem
from physlm.data.tasks.igsm.language import words_of
from physlm.data.tasks.igsm.template import FIRST_TEST_BIN, bin_of
from physlm.eval.tasks.igsm.problem_sets import longer_operations, most_common_answer, problem_sets
from physlm.eval.tasks.igsm.solution_size import solution_size
from tests.eval.tasks.igsm.planted import SMALL, sentences, whole


def sets_of(config, n=100, ops=(4,), *, has_reask=True):
    return list(problem_sets(config.build(0), n, ops, has_reask=has_reask))


@pytest.mark.parametrize(
    ("op_max", "ops"),
    [
        (1, [2]),
        (3, [4]),
        (4, [5, 6]),
        (15, [20, 21, 22, 23]),
        (21, [28, 29, 30, 31, 32]),
        (50, [51, 52]),
        (52, []),
    ],
)
def test_longer_problems_have_up_to_four_thirds_of_the_operations_or_the_published_ones(
    op_max, ops
):
    assert longer_operations(op_max) == ops


def test_sizes_are_those_of_the_solutions_that_the_world_writes():
    task = Igsm(op_max=15)
    problems = task.sample(np.random.default_rng(0), 300)
    for problem in problems:
        words = words_of(problem.solution)
        assert solution_size(problem) == (words.count(";"), len(words))


def test_templates_are_those_of_tests_and_operations_as_asked():
    trained, known, longest, longer, _ = sets_of(SMALL)
    assert [asked.dims for asked in (trained, known, longest, longer)] == [
        {"set": "trained"},
        {"set": "known_templates"},
        {"set": "longest", "op": 3},
        {"set": "longer", "op": 4},
    ]
    by_law = {1, 2, 3}
    for asked, ops in ((trained, by_law), (known, by_law), (longest, {3}), (longer, {4})):
        assert {q.n_operations for q in asked.questions} == ops
        for question in asked.questions:
            words = words_of(question.problem.solution)
            is_of_test = bin_of(words[: words.index("<answer>")]) >= FIRST_TEST_BIN
            assert is_of_test == (asked is not known)
            assert words.count(";") == question.n_operations


def test_problems_are_solved_as_documents_without_wrong_parameters_whatever_training_has():
    retrying = IgsmConfig(op_max=3, ip_max=6, seq_len=400, retry_rate=0.5, has_masked_retries=True)
    for asked, other in zip(sets_of(SMALL), sets_of(retrying), strict=True):
        assert [q.problem for q in asked.questions] == [q.problem for q in other.questions]


def test_problems_that_exceed_a_window_are_dropped_and_counted():
    short = IgsmConfig(op_max=3, ip_max=6, seq_len=150, max_lost_fraction=0.5)
    for asked, other in zip(sets_of(SMALL), sets_of(short), strict=True):
        lengths = [len(q.prompt) + q.longest for q in asked.questions]
        assert other.n_drawn >= len(other.questions)
        if asked.dims["set"] != "reask":
            assert asked.n_drawn == other.n_drawn == 100
            assert 0 < len(other.questions) == sum(n <= 150 for n in lengths) < 100
        assert all(len(q.prompt) + q.longest <= 150 for q in other.questions)


@pytest.mark.parametrize("layout", ["pq", "qp"])
def test_a_question_that_is_redrawn_is_another_one_about_the_same_problem(layout):
    config = IgsmConfig(op_max=3, ip_max=6, seq_len=400, layout=layout)
    corpus = config.build(0)
    *_, longer, reask = sets_of(config)
    assert reask.dims == {"set": "reask", "op": 4}
    for question, asked in zip(longer.questions, reask.questions, strict=True):
        read = read_problem(corpus.vocabulary.decode(asked.prompt))
        assert (read.query, read.question) == (asked.problem.query, asked.problem.question)
        assert read.is_question_first == question.problem.is_question_first == (layout == "qp")
        assert read.rules == question.problem.rules
        assert read.answer == question.problem.values[asked.problem.query]
        assert len(asked.solution) == 0
        written = whole(read, sentences(read))
        assert asked.longest == len(words_of(written))
        assert asked.n_operations == written.count(";")


def test_questions_are_redrawn_evenly():
    reask = sets_of(SMALL, 300)[-1]
    places = []
    for question in reask.questions:
        parameters = sorted(question.problem.values)
        places.append((parameters.index(question.problem.query) + 0.5) / len(parameters))
    # The mean of a uniform number, whose standard deviation is the square root of 1/12, at most.
    assert np.mean(places) == pytest.approx(0.5, abs=4 / np.sqrt(12 * len(places)))
    assert np.std(places) == pytest.approx(np.sqrt(1 / 12), abs=0.04)


def test_the_most_common_answer_is_that_of_training():
    corpus = SMALL.build(0)
    answers = [p.answer for p in corpus.task.sample(np.random.default_rng(1), 300)]
    assert most_common_answer(corpus) == np.bincount(answers).argmax()
