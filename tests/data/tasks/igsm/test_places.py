"""Places in documents, against the readers of problems and solutions, which know no places."""

import re

import numpy as np
import pytest

from physlm.data.tasks.igsm import Igsm, Layout
from physlm.data.tasks.igsm.language import text_of, tokens_of_words, words_of_tokens
from physlm.data.tasks.igsm.places import places_of
from physlm.data.tasks.igsm.problem_reading import problem_of
from physlm.data.tasks.igsm.solution_reading import read_solution

TASKS = [
    Igsm(op_max=9, ip_max=14),
    Igsm(op_max=9, ip_max=14, layout=Layout.qp, has_products_first=True),
    Igsm(op_max=6, ip_max=12, retry_rate=0.4),
]


@pytest.mark.parametrize("task", TASKS)
def test_places_hold_what_the_readers_read(task):
    problems = task.sample(np.random.default_rng(0), 100)
    for i in range(len(problems)):
        tokens = problems.tokens[problems.starts[i] : problems.starts[i + 1]].tolist()
        words, places, problem = words_of_tokens(tokens), places_of(tokens), problems[i]

        def text(span, words=words):
            return text_of(words[span.start : span.stop])

        assert text(places.question) == problem.question
        assert " ".join(map(text, places.statements)) == problem.text
        assert words[places.answer] == str(problem.answer)
        assert len(places.statements) == len(problem.rules)
        for span, parameter in zip(places.statements, problem.rules, strict=True):
            assert parameter.owner in text(span)
        read = read_solution(problem.solution).sentences
        assert len(read) == len(places.sentences)
        for sentence, own in zip(read, places.sentences, strict=True):
            assert text(own.name) == sentence.name
            assert words[own.whole[0]] == "Define"
            assert words[own.whole[-1]] == "."
            assert len(own.operations) == len(sentence.operations)
            if not sentence.is_back:
                assert words[own.letter] == sentence.letter
            for operation, at in zip(sentence.operations, own.operations, strict=True):
                _is_at(operation, at, words)


def _is_at(operation, at, words):
    """Whether the places of an operation hold it; a copied number is its result."""
    assert words[at.letter] == operation.letter
    assert words[at.result] == str(operation.result)
    if at.numbers:
        assert tuple(words[i] for i in at.terms) == operation.terms
        assert tuple(int(words[i]) for i in at.numbers) == operation.numbers
        assert words[at.operator] == operation.operator
        assert words[at.quoted_operator] == operation.quoted_operator
        assert (len(at.terms), len(at.whole)) == (2, 11)
    else:
        assert (at.operator, at.quoted_operator) == (-1, -1)
        own = tuple(words[i] for i in at.terms) or (str(operation.result),)
        assert own == operation.terms


def test_a_text_of_another_form_is_refused_in_one_line():
    problem = TASKS[0].sample(np.random.default_rng(0), 1)
    tokens = problem.tokens.tolist()
    texts = " ".join(words_of_tokens(tokens))
    for damaged, message in (
        (re.sub("<solution>", "so", texts), "a document is bos, <problem>, <solution>"),
        (re.sub(r"\?", ".", texts), "one question, not 0"),
        (re.sub(r" as ", " so ", texts, count=1), "not a sentence of a document: .Define"),
        (re.sub(r" so (\w) = ", r" so \1 + ", texts, count=1), "not a sentence"),
        (re.sub(r" \. <answer>", " <answer>", texts), "not a sentence"),
    ):
        assert damaged != texts
        with pytest.raises(ValueError, match=message) as refused:
            places_of(tokens_of_words(damaged.split()))
        assert "\n" not in str(refused.value)
    assert problem_of(texts.split()).answer == problem[0].answer
