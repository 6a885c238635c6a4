"""Sets of test problems: as trained, longest, longer, and with another question."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from physlm.data.tasks.igsm.igsm import Igsm, Problems
from physlm.data.tasks.igsm.language import (
    HOW,
    LETTERS,
    MODULUS,
    QUESTION_MARK,
    SOLUTION,
    STOP,
    WORDS,
    text_of,
    words_of,
)
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.synthetic_task import Evaluation
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.eval.tasks.igsm.solution_size import solution_size
from physlm.measurement import Dim
from physlm.rng import stream

_PUBLISHED = {15: range(20, 24), 21: range(28, 33)}  # longer problems of iGSM-med and -hard
_TOKEN_OF = {word: token for token, word in enumerate(WORDS)}


class Question(NamedTuple):
    """A problem, as a model is asked.

    Attributes:
        problem: The problem.
        n_operations: Number of operations of its shortest solution.
        prompt: Tokens up to the mark that the solution follows.
        solution: Tokens of the document's own solution; empty if the question was redrawn.
        longest: Tokens that a solution needs at most.
    """

    problem: Problem
    n_operations: int
    prompt: Int32[np.ndarray, " prompt"]
    solution: Int32[np.ndarray, " solution"]
    longest: int

    def withholds(self, n_given: int) -> bool:
        """Whether this many sentences can be given without giving the whole solution."""
        n_shown = int((self.solution == STOP).sum())
        return n_given <= n_shown and n_given < len(self.problem.necessary)

    def sentences(self, n: int) -> Int32[np.ndarray, " first"]:
        """The first sentences of the document's own solution."""
        ends = np.flatnonzero(self.solution == STOP)
        return self.solution[: int(ends[n - 1]) + 1 if n else 0]


class ProblemSet(NamedTuple):
    """Questions of one kind.

    Attributes:
        dims: Dimensions of metrics: ``set`` and, where all problems have the same number of
            operations, ``op``.
        questions: Those that fit into a training window, with a solution.
        n_drawn: How many were drawn.
    """

    dims: dict[str, Dim]
    questions: list[Question]
    n_drawn: int


def longer_operations(op_max: int) -> list[int]:
    """Numbers of operations above those of training, up to four thirds of them.

    For iGSM-med and iGSM-hard they are those of Part 2.1: 20 to 23, and 28 to 32.
    """
    found = _PUBLISHED.get(op_max, range(op_max + 1, math.ceil(4 * op_max / 3) + 1))
    return [op for op in found if op <= len(LETTERS)]


def igsm_task(corpus: TaskCorpus) -> Igsm:
    """The task of a corpus of iGSM."""
    assert isinstance(corpus.task, Igsm)
    return corpus.task


def problem_sets(
    corpus: TaskCorpus, n_problems: int, ops: Sequence[int], *, has_reask: bool
) -> Iterator[ProblemSet]:
    """Problems with whole solutions; all but the second set have test templates.

    Args:
        corpus: The corpus of training.
        n_problems: Problems of each set, before those that do not fit are dropped.
        ops: Operations of the longer ones; a set each.
        has_reask: Whether those of the first of them are also asked about another parameter.
    """
    yield training_like(corpus, n_problems)
    yield training_like(corpus, n_problems, has_known_templates=True)
    yield of_operations(corpus, n_problems, igsm_task(corpus).op_max, "longest")
    for op in ops:
        longer = of_operations(corpus, n_problems, op, "longer")
        yield longer
        if has_reask and op == ops[0]:
            yield _asked_again(corpus, longer)


def training_like(
    corpus: TaskCorpus, n_problems: int, *, has_known_templates: bool = False
) -> ProblemSet:
    """Problems with numbers of operations by the law of training, optionally with its templates.

    Few operations have few templates: all test problems of one operation have the same one, which
    training lacks. Problems of known templates show whether a failure is due to that.
    """
    name = "known_templates" if has_known_templates else "trained"
    return _drawn(corpus, n_problems, {"test": int(not has_known_templates)}, {"set": name})


def of_operations(corpus: TaskCorpus, n_problems: int, op: int, name: str) -> ProblemSet:
    """Problems with the same number of operations and test templates.

    Args:
        corpus: The corpus of training.
        n_problems: Number of problems, before those that do not fit are dropped.
        op: Number of operations.
        name: Name of the set.
    """
    return _drawn(corpus, n_problems, {"op": op, "test": 1}, {"set": name, "op": op})


def most_common_answer(corpus: TaskCorpus) -> int:
    """The most common answer of 2,000 training problems."""
    drawn = _clean(corpus).measured(Evaluation({}, {}), 0, 2000)
    answers = drawn.tokens[drawn.starts[1:] - 1]
    return int(np.bincount(answers, minlength=MODULUS).argmax())


def _drawn(
    corpus: TaskCorpus, n_problems: int, difficulty: dict[str, int], dims: dict[str, Dim]
) -> ProblemSet:
    documents = _clean(corpus).measured(Evaluation(difficulty, {}), 0, n_problems)
    assert isinstance(documents, Problems)
    is_short = np.diff(documents.starts) <= corpus.config.seq_len
    kept = [_question(documents, int(number)) for number in np.flatnonzero(is_short)]
    return ProblemSet(dims, kept, n_problems)


def _question(documents: Problems, number: int) -> Question:
    problem = documents[number]
    tokens = documents.tokens[documents.starts[number] : documents.starts[number + 1]]
    end = int((tokens == SOLUTION).argmax()) + 1
    size = solution_size(problem)
    return Question(problem, size.n_operations, tokens[:end], tokens[end:], len(tokens) - end)


def _asked_again(corpus: TaskCorpus, longer: ProblemSet) -> ProblemSet:
    """The same problems, each asked about one of its parameters, drawn uniformly."""
    rng = stream(corpus.seed, "measured", "reask")
    drawn = [_with_query(question, rng) for question in longer.questions]
    most = corpus.config.seq_len
    kept = [q for q in drawn if len(q.prompt) + q.longest <= most]
    is_solvable = [q for q in kept if q.n_operations <= len(LETTERS)]
    return ProblemSet({**longer.dims, "set": "reask"}, is_solvable, len(drawn))


def _with_query(question: Question, rng: np.random.Generator) -> Question:
    problem, prompt = question.problem, question.prompt
    parameters = sorted(problem.values)
    query = parameters[rng.integers(len(parameters))]
    words = ["How", "many", *words_of(query.owned), "has", *words_of(query.owner), "?"]
    asked = replace(problem, question=text_of(words), query=query, solution="")
    first, last = (int((prompt == token).argmax()) for token in (HOW, QUESTION_MARK))
    new = np.array([_TOKEN_OF[word] for word in words], dtype=prompt.dtype)
    size = solution_size(asked)
    return Question(
        asked,
        size.n_operations,
        np.concatenate([prompt[:first], new, prompt[last + 1 :]]),
        prompt[:0],
        size.n_tokens,
    )


def _clean(corpus: TaskCorpus) -> TaskCorpus:
    """The corpus without retries, and with problems of any length."""
    task = replace(igsm_task(corpus), retry_rate=0.0, has_masked_retries=False, most_tokens=None)
    return replace(corpus, task=task)
