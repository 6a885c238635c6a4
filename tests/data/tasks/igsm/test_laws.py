"""The laws of sizes, graphs, numbers and texts, against closed forms and stated means."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.igsm import Igsm
from physlm.data.tasks.igsm.language import words_of
from physlm.data.tasks.igsm.template import bin_of
from tests.data.tasks.igsm.kernels import attempts, sizes, targets

KEY = np.uint64(11)


def fits(values, law):
    """Whether values have a law, given as the probability of each."""
    counts = Counter(values)
    assert set(counts) <= set(law)
    total = sum(counts.values())
    expected = [total * law[value] for value in law]
    return chisquare([counts[value] for value in law], expected).pvalue > 1e-3


def is_uniform(values, among):
    return fits(values, {value: 1 / len(among) for value in among})


def smaller_of_two(low, high):
    n = high - low + 1
    return {low + k: (2 * (n - k) - 1) / n**2 for k in range(n)}


@pytest.mark.parametrize("op_max", [4, 15])
def test_operations_are_the_smaller_of_two_uniform_numbers(op_max):
    law = {op: (2 * (op_max - op) + 1) / op_max**2 for op in range(1, op_max + 1)}
    assert fits(targets(KEY, 10_000, op_max).tolist(), law)
    assert law == pytest.approx(smaller_of_two(1, op_max))
    problems = Igsm(op_max=op_max, ip_max=12).sample(np.random.default_rng(0), 400)
    assert fits([problem.solution.count(";") for problem in problems], law)


@pytest.mark.parametrize(("s", "ip_max"), [(4, 12), (15, 20), (8, 28)])
def test_sizes_have_the_stated_laws(s, ip_max):
    drawn = sizes(KEY, 10_000, s, ip_max)
    n, m, depth, narrowest, widest, n_edges = drawn.T
    larger = {k: (2 * k - 1) / s**2 for k in range(1, s + 1)}
    assert fits(n.tolist(), larger)
    half = s // 2
    assert is_uniform(m[n == half].tolist(), range(half, s + 1))
    assert ((n <= m) & (m <= s)).all()
    rho = (s - 1) / (ip_max - 1)
    weights = {k: np.exp(-((rho - c) ** 2)) for k, c in ((2, 0.2), (3, 0.5), (4, 0.8))}
    law = {k: weight / sum(weights.values()) for k, weight in weights.items()}
    assert fits(depth.tolist(), law)
    pairs = {(a, b): law[a] * law[b] * (1 if a == b else 2) for a in law for b in law if a <= b}
    assert fits(list(zip(narrowest.tolist(), widest.tolist(), strict=True)), pairs)
    chosen = (depth == 3) & (narrowest == 2) & (widest == 4)
    assert fits(n_edges[chosen].tolist(), smaller_of_two(4, ip_max))
    chosen = (depth == 2) & (widest == 2)
    capped = smaller_of_two(2, ip_max)
    law = {2: capped[2], 3: capped[3], 4: 1 - capped[2] - capped[3]}
    assert fits(n_edges[chosen].tolist(), law)


def test_sizes_are_drawn_again_until_there_is_room():
    _, _, depth, narrowest, _, n_edges = sizes(KEY, 2000, 3, 5).T
    assert ((depth - 1) * narrowest <= n_edges).all()
    assert (n_edges <= 5).all()
    assert set(depth.tolist()) == {2, 3}


def test_constants_operators_and_the_order_of_sentences_are_uniform():
    problems = Igsm(op_max=10).sample(np.random.default_rng(1), 1000)
    constants, added, factors, differences, products, places = ([] for _ in range(6))
    for problem in problems:
        for rule in problem.rules.values():
            if rule.constant is not None and not rule.parents:
                constants.append(rule.constant)
            elif rule.constant is not None:
                products.append(rule.is_product)
                (factors if rule.is_product else added).append(rule.constant)
            if len(rule.parents) == 2:
                differences.append(rule.is_difference)
        if len(problem.rules) == 9:
            first = problem.solution.split("Define ")[1].split(" as")[0]
            names = [parameter.name for parameter in problem.rules]
            if first in names:
                places.append(names.index(first))
    assert is_uniform(constants, range(23))
    assert is_uniform(added, range(23))
    assert is_uniform(factors, range(1, 23))
    for found in (differences, products):
        assert is_uniform(found, (False, True))
    assert len(places) > 50
    assert is_uniform(places, range(9))


@pytest.mark.parametrize(("test", "bins"), [(0, range(17)), (1, range(17, 23))])
def test_bins_of_templates_are_uniform(test, bins):
    # Templates of ten operations hardly ever occur twice.
    problems = Igsm().sample(np.random.default_rng(2), 400, op=10, test=test)
    found = [words_of(problem.solution.split(" <answer>")[0]) for problem in problems]
    assert is_uniform([bin_of(words) for words in found], bins)


# Of an independent implementation, with 2,500 problems: the fraction of first orders that fail,
# structures of a problem, instance parameters, sentences, abstract ones among them, whether the
# question is abstract, whether the answer is 0.
STATED = {
    5: (0.144, 1.48, 9.10, 4.62, 1.10, 0.454, 0.135),
    15: (0.325, 2.18, 10.68, 11.30, 3.40, 0.532, 0.128),
}


def is_close(values, stated, n_stated):
    """Within four standard errors of the difference of two means."""
    values = np.asarray(values, dtype=float)
    error = values.std() * (1 / len(values) + 1 / n_stated) ** 0.5
    return abs(values.mean() - stated) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("op", STATED)
def test_graphs_have_the_stated_means(op):
    stated = STATED[op]
    structures, failed, reached = attempts(KEY, 20_000, op, 20).T
    assert is_close(failed > 0, stated[0], 2500)
    per_problem = structures.sum() / (reached == op).sum()
    assert per_problem == pytest.approx(stated[1], rel=0.03)
    found = list(Igsm().sample(np.random.default_rng(3), 2000, op=op))
    needed = [problem.necessary for problem in found]
    for values, mean in zip(
        (
            [len(problem.rules) for problem in found],
            [len(own) for own in needed],
            [sum(parameter.is_abstract for parameter in own) for own in needed],
            [problem.query.is_abstract for problem in found],
            [problem.answer == 0 for problem in found],
        ),
        stated[2:],
        strict=True,
    ):
        assert is_close(values, mean, 2500)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "op", "stated"),
    [
        ({}, None, 288),
        ({"op_max": 21, "ip_max": 28}, None, 367),
        ({"op_max": 5, "ip_max": 12}, None, 177),
        ({}, 23, 662),
        ({"op_max": 21, "ip_max": 28}, 32, 898),
    ],
)
def test_texts_have_the_stated_lengths(values, op, stated):
    difficulty = {} if op is None else {"op": op}
    starts = Igsm(**values).sample(np.random.default_rng(4), 4000, **difficulty).starts
    assert is_close(np.diff(starts), stated, 600)
