"""Retry upon regret: of a model whose mistakes and their chances are known."""

import numpy as np
import pytest
import torch

from physlm.analysis.igsm.mistakes import suspects
from physlm.analysis.igsm.probe_predictions import problem_sets
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.regret import (
    perfect_detector,
    probe_detector,
    random_detector,
    regret_metrics,
    retried,
    steps_of,
)
from physlm.analysis.igsm.written import continued, written
from physlm.data.tasks.igsm import IgsmConfig, check
from physlm.data.tasks.igsm.language import ANSWER, DEFINE, SOLUTION, STOP
from physlm.measurement import by_text
from tests.analysis.igsm.planted import Planted
from tests.analysis.igsm.test_mistakes import probe_of
from tests.eval.tasks.igsm.planted import Solver, problem_of_prompt, sentences, tokens_of

CHANCE = 1 / 3  # that a drawn first step is right; the likeliest one is wrong


class Hasty(Solver):
    """Solves every problem, but likes to begin with the question."""

    def __init__(self, corpus):
        super().__init__(corpus.vocabulary, None)

    def _scores(self, cache):
        scores = torch.full((len(cache.rows), self.vocabulary_size), -50.0)
        for own, row in zip(scores, cache.rows, strict=True):
            for token, chance in self._next(row).items():
                own[token] = np.log(chance)
        return scores

    def _next(self, row):
        """The chance of each next token, over all that may come next."""
        at = row.index(SOLUTION) + 1
        problem = problem_of_prompt(row[:at])
        solution = row[at:]
        if solution and solution[-1] == ANSWER:
            return {problem.answer: 1.0}
        if ANSWER in solution:
            return {self.eos: 1.0}
        lines = [tokens_of(line) for line in sentences(problem)]
        ends = [i + 1 for i, token in enumerate(solution) if token == STOP]
        begun = solution[ends[-1] if ends else 0 :]
        n_right = sum(line in self._split(solution, ends) for line in lines)
        options = self._options(problem, lines, n_right, is_first=not ends)
        own = {
            line: chance for line, chance in options.items() if list(line[: len(begun)]) == begun
        }
        found = {}
        for line, chance in own.items():
            token = line[len(begun)]
            found[token] = found.get(token, 0.0) + chance / sum(own.values())
        return found

    def _options(self, problem, lines, n_right, *, is_first):
        """The chance of each next sentence, or of the mark of the answer."""
        if n_right == len(lines):
            return {(ANSWER,): 1.0}
        if not is_first or len(lines) == 1:
            return {tuple(lines[n_right]): 1.0}
        return {tuple(lines[0]): CHANCE, tuple(self._mistake(problem)): 1 - CHANCE}

    def _mistake(self, problem):
        return tokens_of(f"Define {problem.query.name} as Z; so Z = 3.")

    def _split(self, solution, ends):
        return [solution[first:last] for first, last in zip([0, *ends], ends, strict=False)]


class Talkative(Hasty):
    """Begins with the first step, and likes to go on when everything is solved."""

    def _options(self, problem, lines, n_right, *, is_first):
        own = super()._options(problem, lines, n_right, is_first=False)
        if n_right < len(lines):
            return own
        return {(ANSWER,): CHANCE, tuple(self._mistake(problem)): 1 - CHANCE}


class Rambling(Hasty):
    """Begins with the question, or with a name that does not end."""

    def _options(self, problem, lines, n_right, *, is_first):
        own = super()._options(problem, lines, n_right, is_first=is_first)
        if is_first and len(lines) > 1:
            name = tokens_of(problem.query.name)
            own[(DEFINE, *name[:1] * 400)] = own.pop(tuple(lines[0]))
        return own


@pytest.fixture(scope="module")
def corpus():
    return IgsmConfig(op_max=4, ip_max=6, seq_len=300).build(0)


@pytest.fixture(scope="module")
def model(corpus):
    return Hasty(corpus)


@pytest.fixture(scope="module")
def solutions(corpus, model):
    problems = problem_sets(corpus.task, 0, longer_op=5, n_train=90, n_test=2).train
    several = [own for own in problems if len(own.problem.necessary) > 1]
    return written(model, several)


def solved(found):
    return np.mean([check(own.problem, own.problem.solution).is_right for own in found])


def steps(solutions):
    return [step for i, own in enumerate(solutions) for step in steps_of(i, own)]


def test_the_first_step_is_wrong_and_the_detector_says_so(solutions):
    assert solved(solutions) == 0
    own = steps(solutions)
    flags = perfect_detector(solutions, own)
    is_first = np.array([step.query.n_sentences == 0 for step in own])
    assert flags[is_first].all()
    for number, solution in enumerate(solutions):
        (first,) = [s.query for s in suspects("too_early", solution) if s.is_written]
        assert first == next(s.query for s, f in zip(own, flags, strict=True) if s.number == number)


@pytest.mark.parametrize("n_retries", [1, 2, 8])
def test_retries_succeed_as_often_as_drawn_steps_are_right(model, solutions, n_retries):
    found = retried(model, solutions, perfect_detector, n_retries=n_retries, most_new=300, seed=0)
    expected = 1 - (1 - CHANCE) ** n_retries
    error = np.sqrt(expected * (1 - expected) / len(solutions))
    assert abs(solved(found.solutions) - expected) < 3.5 * error
    assert found.n_retries.max() <= n_retries
    is_right = np.array([check(s.problem, s.problem.solution).is_right for s in found.solutions])
    assert (found.n_retries[~is_right] == n_retries).all()


def test_the_answer_can_be_drawn_instead_of_another_step(corpus, solutions):
    model = Talkative(corpus)
    begun = written(model, solutions[:30])
    assert solved(begun) == 0
    found = retried(model, begun, perfect_detector, n_retries=4, most_new=300, seed=0)
    expected = 1 - (1 - CHANCE) ** 4
    error = np.sqrt(expected * (1 - expected) / len(begun))
    assert abs(solved(found.solutions) - expected) < 3.5 * error


def test_a_drawn_name_may_not_end(corpus, solutions):
    model = Rambling(corpus)
    begun = written(model, solutions[:20])
    found = retried(model, begun, perfect_detector, n_retries=4, most_new=300, seed=0)
    assert solved(found.solutions) == 0
    assert {own.tokens.dtype for own in found.solutions} == {begun[0].tokens.dtype}


def test_without_flags_nothing_is_retried_and_random_ones_rarely_help(model, solutions):
    none = retried(
        model, solutions, lambda _, s: np.zeros(len(s), bool), n_retries=3, most_new=300, seed=0
    )
    assert all(new is old for new, old in zip(none.solutions, solutions, strict=True))
    assert not none.n_retries.any()
    rate = perfect_detector(solutions, steps(solutions)).mean()
    chance = retried(model, solutions, random_detector(rate, 0), n_retries=3, most_new=300, seed=0)
    perfect = retried(model, solutions, perfect_detector, n_retries=3, most_new=300, seed=0)
    assert solved(chance.solutions) < solved(perfect.solutions) - 0.2


def test_a_probe_that_is_always_right_is_as_good_as_the_perfect_detector(corpus, model, solutions):
    probe = probe_of(Planted(corpus), ProbeTask.can_next)
    few = solutions[:30]
    found = by_text(
        regret_metrics(
            model, probe, {"trained": few}, {"trained": few}, n_retries=8, batch_size=32, seed=0
        )
    )
    assert found["igsm_probe/regretted{set=trained,step=wrong}"].value == 1
    assert found["igsm_probe/regretted{set=trained,step=right}"].value == 0
    of = {
        detector: found[f"igsm_probe/solved{{detector={detector},set=trained}}"].value
        for detector in ("none", "random", "probe", "perfect")
    }
    assert of["none"] == 0
    assert of["probe"] == of["perfect"] > 0.5
    assert found["igsm_probe/retries{detector=perfect,set=trained}"].value > 1


def test_a_wrong_probe_flags_right_steps(corpus, solutions):
    def answer(reading, task):
        return 1 - reading.label(task) if task == "can_next" else reading.label(task)

    wrong = probe_of(Planted(corpus, answer=answer), ProbeTask.can_next)
    few = solutions[:10]
    own = steps(few)
    flags = probe_detector(wrong, 8)(few, own)
    assert (flags == ~perfect_detector(few, own)).all()


def test_a_window_cuts_only_what_does_not_fit(corpus, model, solutions):
    few = solutions[:30]
    options = {"n_retries": 8, "most_new": 300, "seed": 0}
    free = retried(model, few, perfect_detector, **options).solutions
    narrow = Hasty(corpus)
    narrow.longest_window = max(len(own.tokens) for own in free)
    found = retried(narrow, few, perfect_detector, **options).solutions
    assert [own.tokens.tolist() for own in found] == [own.tokens.tolist() for own in free]
    assert all(own.is_ended for own in found)


def test_solutions_that_do_not_end_are_not_solved(model, solutions):
    found = retried(model, solutions, perfect_detector, n_retries=8, most_new=300, seed=0).solutions
    right = [own for own in found if check(own.problem, own.problem.solution).is_right]
    longest = max(right, key=lambda own: len(own.tokens))
    begun = longest.up_to(longest.n_sentences)
    (cut,) = continued(model, [begun], len(longest.tokens) - len(begun))
    assert check(cut.problem, cut.problem.solution).is_right
    assert not cut.is_ended
    (whole,) = continued(model, [begun], 50)
    assert whole.is_ended


def test_solutions_at_the_end_of_the_window_stay_as_they_are(corpus, solutions):
    narrow = Hasty(corpus)
    narrow.longest_window = min(len(own.up_to(0)) for own in solutions) + 10
    found = retried(narrow, solutions[:5], perfect_detector, n_retries=3, most_new=300, seed=0)
    assert not found.n_retries.any()
