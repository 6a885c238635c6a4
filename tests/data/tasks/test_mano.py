"""Mano against Python's own arithmetic, and its law against all expressions."""

from collections import Counter
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.mano import Mano, ManoConfig, value_law
from tests.data.tasks.documents import ids, texts

OPERATORS = {"+": "+", "-": "-", "*": "*", "plus": "+", "minus": "-", "times": "*"}


def drawn(n, seed=0, difficulty=None, **values):
    task = Mano(**values)
    documents = task.sample(np.random.default_rng(seed), n, **(difficulty or {}))
    return task, documents, texts(task, documents)


def infix(words):
    """A prefix expression in Python's notation, and the words after it."""
    first, *rest = words
    if first not in OPERATORS:
        return first, rest
    left, rest = infix(rest)
    right, rest = infix(rest)
    return f"({left}{OPERATORS[first]}{right})", rest


def n_operators(words):
    return sum(word in OPERATORS for word in words)


@pytest.mark.parametrize("has_synonyms", [False, True])
def test_every_document_states_an_expression_and_its_value(has_synonyms):
    task, documents, found = drawn(150, n_max=6, has_synonyms=has_synonyms)
    assert documents.is_target is None
    for text in found:
        expression, rest = infix(text[2:])
        n = n_operators(text)
        assert len(text) == 2 * n + 5 <= task.longest
        assert rest == [rest[0], str(eval(expression) % 23)]
        assert (text[1].rstrip("_b>"), rest[0].rstrip("_b>")) == (f"<len_{n}", f"<ans_{n}")
        prompt = ids(task, " ".join(["bos", *text[1:-1]]))
        assert task.check(prompt, ids(task, text[-1]))
        wrong = str((int(text[-1]) + 1) % 23)
        assert not task.check(prompt, ids(task, wrong))
        assert not task.check(prompt, ids(task, f"{text[-1]} {text[-1]}"))


def test_the_worked_example():
    task = Mano(n_max=3, has_synonyms=False)
    prompt = ids(task, "bos <len_3> + * 4 8 - 2 9 <ans_3>")
    assert task.check(prompt, ids(task, "2"))
    assert not task.check(prompt, ids(task, "3"))


def test_lengths_operators_splits_values_and_synonyms_are_uniform():
    _, _, found = drawn(3000, n_max=4)
    sizes, lefts, roots, values, seconds = (Counter() for _ in range(5))
    for text in found:
        sizes[n_operators(text)] += 1
        seconds["bos"] += text[0] == "<bos_b>"
        seconds["len"] += text[1].endswith("_b>")
        seconds["ans"] += text[-2].endswith("_b>")
        if n_operators(text) == 4:
            roots[text[2]] += 1
            lefts[n_operators(text[3 : len(text) - len(infix(text[3:])[1])])] += 1
            values.update(word for word in text[3:-1] if word.isdigit())
    for counts, n in ((sizes, 4), (lefts, 4), (roots, 6), (values, 23)):
        assert len(counts) == n
        assert chisquare(list(counts.values())).pvalue > 1e-3
    for count in seconds.values():
        assert chisquare([count, 3000 - count]).pvalue > 1e-3


@cache
def all_expressions(modulus, n):
    """The probability of each value, by enumeration of all expressions."""
    law = Counter()
    if n == 0:
        return Counter({value: Fraction(1, modulus) for value in range(modulus)})
    for n_left in range(n):
        for a, p in all_expressions(modulus, n_left).items():
            for b, q in all_expressions(modulus, n - 1 - n_left).items():
                for value in (a + b, a - b, a * b):
                    law[value % modulus] += p * q / (3 * n)
    return law


@pytest.mark.parametrize(("modulus", "n"), [(3, 3), (4, 2), (7, 2)])
def test_the_law_of_values_is_that_of_all_expressions(modulus, n):
    law = all_expressions(modulus, n)
    assert value_law(modulus, n) == pytest.approx([float(law[v]) for v in range(modulus)])


def published_chance(n, modulus=23):
    """The probability of 0, in closed form for a prime."""
    if n == 0:
        return 1 / modulus
    total = 0.0
    for left in range(n):
        p, q = published_chance(left), published_chance(n - 1 - left)
        total += 2 * (p * q + (1 - p) * (1 - q) / (modulus - 1)) + 1 - (1 - p) * (1 - q)
    return total / (3 * n)


def test_chance_is_the_published_one_and_the_share_of_zeros():
    for n, chance in ((1, 0.0573), (2, 0.0618), (3, 0.0642)):
        assert Mano(n_max=n).chance({"l": n}) == pytest.approx(chance, abs=5e-5)
        assert Mano(n_max=n).chance({"l": n}) == pytest.approx(published_chance(n))
    for n, chance in ((10, 0.07026), (13, 0.07133), (16, 0.07212)):
        assert Mano(n_max=n).chance({"l": n}) == pytest.approx(chance, abs=5e-6)
    _, documents, _ = drawn(20_000, n_max=10, difficulty={"l": 10})
    observed = np.bincount(documents.tokens[documents.starts[1:] - 1], minlength=23)
    assert chisquare(observed, 20_000 * value_law(23, 10)).pvalue > 1e-3


def test_vocabularies_have_the_published_sizes():
    assert Mano(has_synonyms=False).vocabulary.size == 23 + 3 + 2 * 10 + 1
    assert Mano().vocabulary.size == 23 + 6 + 4 * 10 + 2


def test_documents_that_begin_with_two_tokens_cannot_be_told_apart():
    with pytest.raises(ValueError, match="set has_synonyms=false"):
        ManoConfig(attention_across_documents=False)
    assert ManoConfig(attention_across_documents=False, has_synonyms=False).task
    with pytest.raises(ValueError, match="seq_len=23 is too short .* use 24 or more"):
        ManoConfig(seq_len=23)
    assert ManoConfig(seq_len=24)
