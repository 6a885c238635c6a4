"""Random grammars have the shapes of their families."""

from itertools import pairwise

import numpy as np
import pytest

from physlm.data.cfg import load_grammar
from physlm.data.cfg.families import FAMILIES, Family, random_bags, random_rules
from physlm.rng import stream


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_a_random_grammar_has_its_familys_shape(name, seed):
    family, rules = FAMILIES[name], load_grammar(f"{name}:{seed}").rules
    assert len(rules.levels) == len(family.sizes)
    if not name.startswith("cfg3e"):
        assert tuple(map(len, rules.levels)) == family.sizes
    assert rules.terminals == tuple(range(1, len(rules.terminals) + 1)) or name == "cfg3e1"
    for level in rules.levels[:-1]:
        rows = [row for symbol in level for row in rules.expansions[symbol]]
        assert len(set(rows)) == len(rows)
        for symbol in level:
            alternatives = rules.expansions[symbol]
            is_unit = family.has_unit_chain and alternatives[0] == (
                min(rules.levels[rules.levels.index(level) + 1]),
            )
            if not is_unit:
                assert family.n_rules[0] <= len(alternatives) <= family.n_rules[1]
                assert all(family.lengths[0] <= len(e) <= family.lengths[1] for e in alternatives)
            if family.is_distinct:
                assert all(len(set(e)) == len(e) for e in alternatives)


def test_cfg9_has_one_unit_rule_a_level_and_one_parse_a_string():
    grammar = load_grammar("cfg9a:0")
    for above, below in pairwise(grammar.levels[1:]):
        assert grammar.rules.expansions[above[0]] == ((below[0],),)
    strings = grammar.sample(stream(5, "cfg9"), 100)
    assert all(grammar.n_parses(string) == 1 for string in strings)


def test_published_shapes_are_those_of_the_published_grammars():
    for name in ("cfg3b", "cfg3i", "cfg3h", "cfg3g", "cfg3f", "cfg3j", "cfg3k"):
        family, rules = FAMILIES[name], load_grammar(name).rules
        assert tuple(map(len, rules.levels)) == family.sizes
        counts = {len(rows) for rows in rules.expansions.values()}
        assert (min(counts), max(counts)) == family.n_rules


def test_too_many_rules_for_a_level_are_refused():
    with pytest.raises(ValueError, match="a level of 1 symbols has too few right-hand sides"):
        random_rules(Family((1, 1, 1), (3, 3), lengths=(1, 2)), 0)


@pytest.mark.parametrize("is_uniform", [True, False])
def test_disjoint_bags_partition_all_tokens(is_uniform):
    bags = random_bags((1, 2, 3), 90, stream(0, "bags"), is_disjoint=True, is_uniform=is_uniform)
    tokens = [token for bag in bags.values() for token in bag]
    assert sorted(tokens) == list(range(1, 91))
    weights = sorted(bags[2].values())
    assert weights == ([1.0] * 30 if is_uniform else list(range(1, 31)))


def test_overlapping_bags_share_some_tokens():
    bags = random_bags((1, 2, 3), 90, stream(0, "bags"), is_disjoint=False, is_uniform=True)
    assert set(bags[1]) & set(bags[2])
    assert all(30 <= len(bag) <= 45 for bag in bags.values())
    with pytest.raises(ValueError, match="n_tokens=2; each of the 3 terminals needs at least one"):
        random_bags((1, 2, 3), 2, stream(0, "bags"), is_disjoint=True, is_uniform=True)


def test_tokens_of_a_bag_are_as_frequent_as_their_weights():
    bags = random_bags((1, 2, 3), 9, stream(0, "bags"), is_disjoint=True, is_uniform=False)
    grammar = load_grammar("cfg3b")
    grammar = type(grammar)(grammar.rules, bags)
    strings = grammar.sample(stream(0, "strings"), 300, derivations=True)
    is_two = strings.derivations.ancestors[-1] == 2
    tokens, counts = np.unique(strings.tokens[is_two], return_counts=True)
    expected = np.array([bags[2][token] for token in tokens.tolist()]) / sum(bags[2].values())
    np.testing.assert_allclose(counts / counts.sum(), expected, atol=0.01)
