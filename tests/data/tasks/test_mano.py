"""Mano against Python's own arithmetic, and its laws against all expressions."""

import itertools
from collections import Counter
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.mano import Mano, ManoConfig
from physlm.data.tasks.mano_law import n_expressions, split_laws, value_law
from physlm.run_id import identity
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


def written(modulus, n):
    """All expressions of n operators as tokens, each with its probability."""
    if n == 0:
        return {(value,): 1 / modulus for value in range(modulus)}
    found = {}
    for n_left in range(n):
        for (a, p), (b, q) in itertools.product(
            written(modulus, n_left).items(), written(modulus, n - 1 - n_left).items()
        ):
            for operator in range(3):
                found[modulus + operator, *a, *b] = p * q / (3 * n)
    return found


def plain_hash(tokens):
    """Splitmix64 over the tokens of an expression, in whole numbers."""
    state, size = 0, 2**64
    for token in tokens:
        z = ((state ^ (token * 0xBF58476D1CE4E5B9 % size)) + 0x9E3779B97F4A7C15) % size
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % size
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % size
        state = z ^ (z >> 31)
    return state


def expressions_of(task, documents):
    """The expressions of documents as tokens; synonyms are replaced by the first tokens."""
    tokens, first_synonym = documents.tokens, task.modulus + 3
    is_synonym = (tokens >= first_synonym) & (tokens < len(task.words))
    plain = np.where(is_synonym, tokens - 3, tokens)
    return [tuple(own[2:-2].tolist()) for own in np.split(plain, documents.starts[1:-1])]


SPLITS = [(3, 2, 0.3, False), (2, 3, 0.2, True)]


@pytest.mark.parametrize(("modulus", "n", "fraction", "has_synonyms"), SPLITS)
def test_training_and_test_have_the_law_of_their_part_of_all_expressions(
    modulus, n, fraction, has_synonyms
):
    law = written(modulus, n)
    assert len(law) == n_expressions(modulus, n)
    assert sum(law.values()) == pytest.approx(1)
    held_out = {tokens for tokens in law if plain_hash(tokens) < fraction * 2**64}
    assert len(held_out) == pytest.approx(fraction * len(law), abs=4 * len(law) ** 0.5)
    task = Mano(n_max=n, modulus=modulus, has_synonyms=has_synonyms, held_out_fraction=fraction)
    for is_held_out, part in ((1, held_out), (0, law.keys() - held_out)):
        documents = task.sample(np.random.default_rng(0), 30_000, l=n, held_out=is_held_out)
        counts = Counter(expressions_of(task, documents))
        assert counts.keys() <= part
        expected = np.array([law[tokens] for tokens in sorted(part)])
        observed = [counts[tokens] for tokens in sorted(part)]
        assert chisquare(observed, 30_000 * expected / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("has_synonyms", [False, True])
def test_no_held_out_expression_is_ever_in_training(has_synonyms):
    config = ManoConfig(
        n_max=2, modulus=7, has_synonyms=has_synonyms, held_out_fraction=0.2, n_documents=100_000
    )
    world = config.build(0)
    trained = expressions_of(world.task, world.epoch(0, 0, 100_000))
    tests, others = (
        set(expressions_of(world.task, world.measured(evaluation, 0, 100_000)))
        for evaluation in world.task.evaluations
    )
    assert not tests & set(trained)
    assert len(tests | others) == n_expressions(7, 2) == 6174
    assert others <= set(trained)
    # Lengths stay uniform: the part that is held out does not make long expressions rarer.
    n_long = sum(len(tokens) == 5 for tokens in trained)
    assert chisquare([n_long, 100_000 - n_long]).pvalue > 1e-3
    assert {tokens for tokens in trained if len(tokens) == 3} == written(7, 1).keys()


def test_which_expressions_are_held_out_stays_the_same():
    task = Mano(n_max=2, modulus=7, has_synonyms=False, held_out_fraction=0.2)
    documents = task.sample(np.random.default_rng(0), 20_000, held_out=1)
    held_out = sorted(set(expressions_of(task, documents)))
    assert len(held_out) == 1273
    assert held_out[:3] == [(7, 0, 7, 0, 1), (7, 0, 7, 0, 2), (7, 0, 7, 1, 0)]
    fewer = Mano(n_max=2, modulus=7, has_synonyms=False, held_out_fraction=0.1)
    part = set(expressions_of(fewer, fewer.sample(np.random.default_rng(0), 9_000, held_out=1)))
    assert part < set(held_out)


@pytest.mark.parametrize(("modulus", "n", "fraction", "has_synonyms"), SPLITS)
def test_chance_is_that_of_the_part(modulus, n, fraction, has_synonyms):
    laws = np.zeros((2, modulus))
    for tokens, p in written(modulus, n).items():
        operators = (str(t) if t < modulus else "+-*"[t - modulus] for t in tokens)
        value = eval(infix(list(operators))[0]) % modulus
        laws[int(plain_hash(tokens) < fraction * 2**64), value] += p
    laws /= laws.sum(axis=1, keepdims=True)
    assert split_laws(modulus, n, fraction) == pytest.approx(laws)
    task = Mano(n_max=n, modulus=modulus, has_synonyms=has_synonyms, held_out_fraction=fraction)
    assert [task.chance({"l": n, "held_out": i}) for i in (0, 1)] == pytest.approx(
        laws.max(axis=1).tolist()
    )
    assert task.chance({"l": n - 1}) == pytest.approx(value_law(modulus, n - 1).max())


def test_the_laws_of_too_many_expressions_are_those_of_all():
    assert split_laws(23, 4, 0.2) == pytest.approx(np.tile(value_law(23, 4), (2, 1)))
    counted = split_laws(23, 2, 0.2)
    assert counted == pytest.approx(np.tile(value_law(23, 2), (2, 1)), abs=4e-3)
    assert not np.allclose(counted[0], counted[1], atol=1e-5)


def test_without_held_out_expressions_all_is_as_before():
    plain = ManoConfig(n_max=2, modulus=7, has_synonyms=False, seq_len=128, n_documents=200_000)
    held_out = ManoConfig(n_max=2, modulus=7, has_synonyms=False, held_out_fraction=0.2)
    assert "held_out_fraction" not in identity(plain)
    assert identity(held_out)["held_out_fraction"] == 0.2
    # As recorded with the runs of experiments/architectures_mano, before there was the option.
    recorded = "20fb2be06e0188b7630b0960afc88e92e61e1cfcc70ae95397c8217b5c61a42f"
    assert plain.build(0).fingerprint() == recorded
    assert held_out.build(0).fingerprint() != held_out.build(1).fingerprint() != recorded
    assert len(plain.task.evaluations) == 1
    with pytest.raises(ValueError, match="held_out=1: no such difficulty; use one of l"):
        plain.task.sample(np.random.default_rng(0), 1, held_out=1)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"held_out_fraction": 1.0}, "held_out_fraction=1.0; must be 0 for none, or from 0.01"),
        ({"held_out_fraction": -0.1}, "held_out_fraction=-0.1; must be 0 for none"),
        ({"held_out_fraction": 0.001}, "held_out_fraction=0.001; must be 0"),
        (
            {"held_out_fraction": 0.1, "n_max": 1, "modulus": 5},
            "0.1 of 75 expressions of n_max=1 operators modulo 5; must hold out at least 30",
        ),
        (
            {"held_out_fraction": 0.9, "n_max": 1, "modulus": 5},
            "must hold out at least 30 and leave",
        ),
    ],
)
def test_parts_that_might_be_empty_are_refused(values, refusal):
    with pytest.raises(ValueError, match=refusal):
        ManoConfig(**values)


def test_shorter_expressions_are_never_held_out():
    task = Mano(n_max=3, held_out_fraction=0.5)
    with pytest.raises(ValueError, match="l=2 with held_out=1; .* n_max=3 .* leave l out"):
        task.sample(np.random.default_rng(0), 5, l=2, held_out=1)
    (text,) = texts(task, task.sample(np.random.default_rng(0), 1, held_out=1))
    assert n_operators(text) == 3
