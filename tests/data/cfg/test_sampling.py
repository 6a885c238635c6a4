"""Strings follow the grammar's distribution, and their derivations are valid."""

import numpy as np
import pytest
from scipy import stats

from physlm.data.cfg import load_grammar
from physlm.data.cfg.library import grammar_names
from physlm.rng import stream
from tests.data.cfg.conftest import language, small_grammar


def test_frequencies_are_the_probabilities_of_the_whole_language(number):
    strings = small_grammar(number).sample(stream(number, "sample"), 5000)
    truth = language(number)
    texts = [tuple(string.tolist()) for string in strings]
    assert {*texts} <= truth.keys()
    frequent = [text for text, p in truth.items() if p * len(texts) > 5]
    observed = np.array([texts.count(text) for text in frequent])
    expected = np.array([truth[text] for text in frequent]) * len(texts)
    rest = len(texts) - expected.sum()
    if rest > 5:
        observed, expected = (np.append(x, len(texts) - x.sum()) for x in (observed, expected))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


FEW = {"brackets", "cfg3b", "english"}


@pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in grammar_names()]
)
def test_every_subtree_is_the_expansion_of_its_symbol(name):
    grammar = load_grammar(name)
    strings = grammar.sample(stream(0, name), 20, derivations=True)
    truth = strings.derivations
    assert truth is not None
    np.testing.assert_array_equal(truth.ancestors[-1], strings.tokens)
    assert (truth.ancestors[0] == grammar.rules.root).all()
    logs = np.zeros(20)
    for i, (first, last) in enumerate(zip(strings.starts[:-1], strings.starts[1:], strict=True)):
        for level in range(len(grammar.levels) - 1):
            for subtree in range(truth.subtrees[level, last - 1] + 1):
                at = first + np.flatnonzero(truth.subtrees[level, first:last] == subtree)
                (symbol,) = {*truth.ancestors[level, at].tolist()}
                np.testing.assert_array_equal(at, np.arange(at[0], at[-1] + 1))
                np.testing.assert_array_equal(truth.is_boundary[level, at[:-1]], False)
                assert truth.is_boundary[level, at[-1]]
                ends = at[truth.is_boundary[level + 1, at]]
                children = tuple(truth.ancestors[level + 1, ends].tolist())
                alternatives = grammar.rules.expansions[symbol]
                assert children in alternatives
                logs[i] -= np.log(len(alternatives))
    np.testing.assert_allclose(truth.log_probability, logs)


def test_the_deepest_boundary_is_the_smallest_inner_level_that_ends():
    strings = load_grammar("cfg3b").sample(stream(0, "ends"), 5, derivations=True)
    truth = strings.derivations
    for i, deepest in enumerate(truth.deepest_boundary):
        ending = [level for level in range(2, 7) if truth.is_boundary[level - 1, i]]
        assert deepest == min(ending, default=0)
    assert (truth.deepest_boundary[strings.starts[1:] - 1] == 2).all()


def test_a_string_is_a_function_of_its_number_alone():
    grammar = load_grammar("cfg3f")
    whole = grammar.numbered(5, 0, 40)
    part = grammar.numbered(5, 17, 3, derivations=True)
    for i in range(3):
        np.testing.assert_array_equal(part[i], whole[17 + i])
    assert not np.array_equal(grammar.numbered(6, 0, 1)[0], whole[0])
