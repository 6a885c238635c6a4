"""Exact answers, compared with nltk's chart parser and enumerated languages."""

import math
from collections import Counter

import nltk
import numpy as np
import pytest

from physlm.data.cfg import load_grammar
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.formats import from_text
from physlm.data.cfg.grammar import Grammar
from physlm.data.cfg.library import grammar_names
from physlm.rng import stream
from tests.data.cfg.conftest import derived, language, nltk_grammar, small_grammar

N_STRINGS = 10


def cases(number):
    """Strings in the language, strings close to it, and random tokens."""
    grammar, rng = small_grammar(number), stream(number, "cases")
    drawn = [string.tolist() for string in grammar.sample(rng, N_STRINGS)]
    for i, string in enumerate(drawn):
        if i % 3 == 1:
            string[rng.integers(len(string))] = int(rng.choice(grammar.tokens))
        if i % 3 == 2:
            drawn[i] = rng.choice(grammar.tokens, rng.integers(1, 9)).tolist()
    return drawn


@pytest.mark.parametrize("n_grammars", [30, pytest.param(100, marks=pytest.mark.slow)])
def test_membership_parses_and_probabilities_are_nltks(n_grammars):
    n_members = n_ambiguous = 0
    for number in range(n_grammars):
        grammar = small_grammar(number)
        chart = nltk.ChartParser(nltk_grammar(grammar))
        for string in cases(number):
            prefix = "token" if grammar.bags else ""
            trees = list(chart.parse([f"{prefix}{token}" for token in string]))
            assert grammar.accepts(string) == bool(trees)
            assert grammar.n_parses(string) == len(trees)
            probability = sum(tree_probability(grammar, tree) for tree in trees)
            assert math.exp(grammar.log_probability(string)) == pytest.approx(probability, rel=1e-9)
            n_members += bool(trees)
            n_ambiguous += len(trees) > 1
    n_cases = n_grammars * N_STRINGS
    assert n_members > 0.4 * n_cases
    assert n_ambiguous > 0.05 * n_cases


def tree_probability(grammar: Grammar, tree: nltk.Tree) -> float:
    """The probability of a tree, as the product of its choices."""
    if not isinstance(tree[0], nltk.Tree) and grammar.bags:
        bag = grammar.bags[int(tree.label().removeprefix("t"))]
        return bag[int(tree[0].removeprefix("token"))] / sum(bag.values())
    probability = 1 / len(grammar.rules.expansions[int(tree.label())])
    for child in tree:
        if isinstance(child, nltk.Tree):
            probability *= tree_probability(grammar, child)
    return probability


def test_probabilities_are_those_of_the_whole_language(number):
    strings = language(number)
    found = np.exp(small_grammar(number).log_probabilities(list(strings)))
    np.testing.assert_allclose(found, list(strings.values()), rtol=1e-9)


def test_the_next_token_is_as_likely_as_in_the_whole_language(number):
    grammar, truth = small_grammar(number), language(number)
    for string in list(truth)[:: max(1, len(truth) // 20)]:
        found = grammar.next_token_distribution(string)
        for m in range(len(string) + 1):
            rest = {text: p for text, p in truth.items() if text[:m] == string[:m]}
            weights = Counter()
            for text, probability in rest.items():
                weights[text[m] if len(text) > m else "end"] += probability
            expected = [weights[t] / sum(rest.values()) for t in ("end", *grammar.tokens)]
            np.testing.assert_allclose(found[m], expected, atol=1e-12)


def test_the_longest_valid_prefix_is_that_of_the_whole_language(number):
    grammar, truth = small_grammar(number), language(number)
    prefixes = {text[:m] for text in truth for m in range(len(text) + 1)}
    for string in cases(number):
        expected = max(m for m in range(len(string) + 1) if tuple(string[:m]) in prefixes)
        assert grammar.longest_valid_prefix(string) == expected


def test_the_broken_level_is_the_deepest_that_breaks_at_the_same_place(number):
    """Compared with the prefixes of all enumerated sequences of a level's constituents."""
    grammar = small_grammar(number)
    rows = cases(number)
    faults = grammar.faults(rows)
    for row, n_sound, broken in zip(rows, *faults, strict=True):
        string = tuple(row)
        if grammar.accepts(string):
            assert (n_sound, broken) == (len(string), 0)
            continue
        breaking = []
        for level, symbols in enumerate(grammar.levels[:-1], start=1):
            parts = {text for symbol in symbols for text in derived(grammar, symbol)}
            reach, is_whole = _segmented(string, parts, once=level == 1)
            is_as_bad = reach == n_sound and not (n_sound == len(string) and is_whole)
            breaking += [level] if is_as_bad else []
        assert broken == max(breaking)


def _segmented(string, parts, *, once):
    """Length of the longest prefix that is a sequence of parts and the beginning of one more."""
    ends, sound = {0}, 0
    for start in range(len(string) + 1):
        if start not in ends or (once and start):
            continue
        for part in parts:
            n = next(
                (k for k, (a, b) in enumerate(zip(part, string[start:], strict=False)) if a != b),
                min(len(part), len(string) - start),
            )
            sound = max(sound, start + n)
            if n == len(part):
                ends.add(start + n)
    return sound, len(string) in ends


def test_completions_follow_the_true_conditional_distribution(number):
    grammar, truth = small_grammar(number), language(number)
    longest = max(truth, key=len)
    beginning = longest[: len(longest) // 2]
    endings = Counter(
        tuple(e.tolist()) for e in grammar.completions(beginning, stream(number, "endings"), 4000)
    )
    rest = {
        text[len(beginning) :]: p
        for text, p in truth.items()
        if text[: len(beginning)] == beginning
    }
    assert endings.keys() <= rest.keys()
    total = sum(rest.values())
    for ending, probability in rest.items():
        expected = probability / total
        error = math.sqrt(expected * (1 - expected) / 4000)
        assert abs(endings[ending] / 4000 - expected) < 5 * error + 1e-9


@pytest.mark.parametrize("name", ["cfg3b", "cfg3f", "cfg3i", "cfg3e1", "cfg3k", "english"])
def test_the_product_of_conditionals_is_the_probability(name):
    grammar = load_grammar(name)
    for string in grammar.sample(stream(0, name), 8):
        places = np.searchsorted(grammar.tokens, string)
        conditionals = grammar.next_token_distribution(string)
        logs = np.log(conditionals[np.arange(len(string)), 1 + places]).sum()
        logs += math.log(conditionals[-1, 0])
        whole = grammar.log_probability(string)
        assert logs == pytest.approx(whole, abs=1e-9)
        np.testing.assert_allclose(conditionals.sum(axis=1), 1, atol=1e-12)


def test_the_longest_strings_do_not_underflow():
    grammar = load_grammar("cfg3k")
    string = max(grammar.sample(stream(0, "long"), 3000), key=len)
    assert len(string) > 700
    assert grammar.log_probability(string) < math.log(1e-240)
    assert grammar.next_token_distribution(string).min() >= 0


def test_the_parse_is_the_most_probable_derivation(number):
    grammar = small_grammar(number)
    chart = nltk.ChartParser(nltk_grammar(grammar))
    strings = grammar.sample(stream(number, "parse"), 10)
    parsed = grammar.parse_batch(strings)
    np.testing.assert_array_equal(parsed.tokens, strings.tokens)
    for i, string in enumerate(strings):
        prefix = "token" if grammar.bags else ""
        trees = chart.parse([f"{prefix}{token}" for token in string])
        best = max(tree_probability(grammar, tree) for tree in trees)
        assert math.exp(parsed.derivations.log_probability[i]) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("name", ["cfg3b", "cfg3e1", "cfg3e2", "brackets"])
def test_parsing_restores_a_unique_derivation(name):
    grammar = load_grammar(name)
    strings = grammar.sample(stream(0, name), 50, derivations=True)
    parsed = grammar.parse_batch(strings).derivations
    np.testing.assert_array_equal(parsed.ancestors, strings.derivations.ancestors)
    np.testing.assert_array_equal(parsed.subtrees, strings.derivations.subtrees)
    np.testing.assert_array_equal(parsed.is_boundary, strings.derivations.is_boundary)
    np.testing.assert_allclose(parsed.log_probability, strings.derivations.log_probability)


@pytest.mark.parametrize("name", grammar_names())
def test_every_sampled_string_is_accepted(name):
    grammar = load_grammar(name)
    assert grammar.accepts_batch(grammar.sample(stream(1, name), 30)).all()


def test_brackets_are_balanced():
    grammar = load_grammar("brackets")
    name = {number: grammar.rules.name(number) for number in grammar.tokens}
    for string in grammar.sample(stream(0, "brackets"), 200):
        open_ones = []
        for token in string:
            if name[token] in "([":
                open_ones.append(name[token])
            else:
                assert {")": "(", "]": "["}[name[token]] == open_ones.pop()
        assert not open_ones


def test_bad_strings_are_refused_by_position():
    grammar = load_grammar("cfg3b")
    good = grammar.sample(stream(0, "good"), 1)[0].tolist()
    with pytest.raises(
        ValueError,
        match="token 7 at position 2 of string 1 is not in the grammar, whose tokens are 1, 2, 3",
    ):
        grammar.accepts_batch([good, [1, 2, 7]])
    wrong = [*good[:100], *([good[100] % 3 + 1] * 9)]
    at = grammar.longest_valid_prefix(wrong)
    for ask in (
        grammar.next_token_distribution,
        lambda s: grammar.completions(s, stream(0, "c"), 1),
    ):
        with pytest.raises(ValueError, match=f"at position {at} continues no string"):
            ask(wrong)
    for row, message in (
        ([1.5, 2.0], "string 0 is not a sequence of integers"),
        ([[1, 2], [2, 1]], "string 0 is not a sequence of integers"),
        ([1, 2**40], "token 1099511627776 at position 1 of string 0"),
        ([1, -1], "token -1 at position 1 of string 0"),
    ):
        with pytest.raises(ValueError, match=message):
            grammar.accepts(np.array(row))
    with pytest.raises(ValueError, match="string 1 is not in the language"):
        grammar.parse_batch([good, good[:-1]])


def test_the_empty_string_is_a_valid_prefix_but_not_in_the_language():
    grammar = load_grammar("cfg3b")
    assert not grammar.accepts([])
    assert grammar.longest_valid_prefix([]) == 0
    assert grammar.n_parses([]) == 0
    assert grammar.next_token_distribution([]).shape == (1, 4)
    assert len(Strings.of([])) == 0
    assert grammar.accepts_batch(Strings.of([])).shape == (0,)
    drawn = grammar.completions([], stream(0, "all"), 50)
    assert grammar.accepts_batch(drawn).all()


def test_more_derivations_than_a_float_holds_are_counted_exactly():
    """Each of 60 levels doubles the ways to one token; a string of two has the product."""
    lines = ["root s", "terminals t", "s -> a1 | b1 | a1 b1"]
    for level in range(1, 60):
        below = f"a{level + 1} | b{level + 1}"
        lines += [f"a{level} -> {below}", f"b{level} -> {below}"]
    grammar = Grammar(from_text("\n".join([*lines, "a60 -> t", "b60 -> t"])))
    (token,) = grammar.tokens
    assert grammar.n_parses([token]) == 2**60
    assert grammar.n_parses([token, token]) == 2**118
    assert grammar.n_parses([token] * 3) == 0


def test_strings_are_read_and_written_in_the_names_of_terminals():
    grammar = load_grammar("english")
    for string in grammar.sample(np.random.default_rng(0), 20):
        assert np.array_equal(grammar.read(grammar.written(string)), string)
    assert grammar.accepts(grammar.read(grammar.written(string)))
    with pytest.raises(ValueError, match="banana is not a token of the grammar; use the"):
        grammar.read("the banana sleeps")


def test_a_subgrammar_has_its_root_by_number_or_name():
    grammar = load_grammar("english")
    numbers = {name: symbol for symbol, name in grammar.rules.names.items()}
    assert grammar.subgrammar("clause2").rules == grammar.subgrammar(numbers["clause2"]).rules
    assert load_grammar("cfg3b").subgrammar("17").levels[0] == (17,)
    with pytest.raises(ValueError, match="root=clause is not a nonterminal; use one of .*clause2"):
        grammar.subgrammar("clause")


def test_a_negative_number_of_strings_is_refused():
    with pytest.raises(ValueError, match="n=-1; must be at least 0"):
        load_grammar("cfg3b").sample(np.random.default_rng(0), -1)


def test_bags_are_checked():
    rules = load_grammar("cfg3b").rules
    with pytest.raises(ValueError, match="bag of 9, which is not a terminal"):
        Grammar(rules, {9: {1: 1.0}})
    with pytest.raises(ValueError, match="the bag of terminal 1 needs tokens with positive"):
        Grammar(rules, {1: {5: 0.0}})
