"""A single solution as it was written."""

from physlm.eval.tasks.igsm.problem_sets import training_like
from physlm.eval.tasks.igsm.solutions import Written
from tests.eval.tasks.igsm.planted import SMALL


def test_a_right_text_that_was_cut_before_its_end_is_unfinished():
    question = training_like(SMALL.build(0), 1).questions[0]
    whole, cut = (Written(question, question.problem.solution, ended) for ended in (True, False))
    assert whole.is_right
    assert whole.has_right_answer
    assert whole.fault_kind == ""
    assert not cut.is_right
    assert not cut.has_right_answer
    assert cut.verdict.is_right
    assert cut.fault is None
    assert cut.fault_kind == "unfinished"


def test_a_text_with_a_fault_that_was_cut_has_that_fault():
    question = training_like(SMALL.build(0), 1).questions[0]
    written = Written(question, question.problem.solution.replace("so", "so so"), is_ended=False)
    assert written.fault_kind == "unreadable_sentence"
