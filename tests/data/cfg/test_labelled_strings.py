"""Wrong strings of a grammar, against nltk's parser and enumerated languages."""

from collections import Counter
from itertools import pairwise

import nltk
import numpy as np
import pytest

from physlm.data.cfg import Grammar
from physlm.data.cfg.corpus import CfgConfig, CfgCorpus
from physlm.data.cfg.formats import from_text
from physlm.data.cfg.labelled_strings import VIOLATIONS
from tests.data.cfg.conftest import derived

# Every string has 8 tokens, the symbols of a level are equally long, and their order matters.
EVEN = """
root s
terminals a b c
s -> p q
p -> x y | x x
q -> y x | y y
x -> a b | b c
y -> c a | c c
"""


def corpus_of(text, seed=0):
    return CfgCorpus(CfgConfig(), Grammar(from_text(text)), seed)


def strings_of(corpus, texts):
    return [tuple(corpus.string(text[1:]).tolist()) for text in texts]


@pytest.mark.parametrize("corruption", VIOLATIONS)
@pytest.mark.parametrize("n_errors", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_membership_and_the_first_error_are_those_of_the_enumerated_language(corruption, n_errors):
    corpus = corpus_of(EVEN)
    language = set(derived(corpus.grammar, corpus.grammar.rules.root))
    beginnings = {string[:n] for string in language for n in range(len(string) + 1)}
    found = corpus.labelled(60, corruption, n_errors)
    assert set(strings_of(corpus, found.tokens[::2])) <= language
    for string, position in zip(
        strings_of(corpus, found.tokens[1::2]), found.error_position[1::2], strict=True
    ):
        assert string not in language
        n_sound = max(n for n in range(len(string) + 1) if string[:n] in beginnings)
        assert position == n_sound + 1  # counted from the end-of-text


@pytest.mark.parametrize("corruption", VIOLATIONS)
def test_nltk_accepts_the_valid_strings_alone(corruption):
    corpus = CfgConfig(grammar="english").build(1)
    parser = nltk.ChartParser(corpus.grammar.to_nltk())
    names = {token: corpus.grammar.rules.name(token) for token in corpus.grammar.tokens}
    found = corpus.labelled(4, corruption, 1)
    for string, is_valid in zip(strings_of(corpus, found.tokens), found.is_valid, strict=True):
        tree = next(iter(parser.parse([names[token] for token in string])), None)
        assert (tree is not None) == is_valid


@pytest.mark.parametrize("n_errors", [1, 2, 3])
def test_each_error_is_a_change_of_its_own(n_errors):
    corpus = corpus_of(EVEN)
    n_changed = {}
    for corruption in ("token_replaced", "terminal_swap", "subtree_swap"):
        if (corruption, n_errors) == ("subtree_swap", 3):
            continue  # needs six symbols of a level
        found = corpus.labelled(40, corruption, n_errors)
        pairs = zip(found.tokens[::2], found.tokens[1::2], strict=True)
        n_changed[corruption] = {int((a != b).sum()) for a, b in pairs}
    assert n_changed["token_replaced"] == {n_errors}
    assert n_changed["terminal_swap"] == {2 * n_errors}
    assert min(n_changed.get("subtree_swap", {2})) >= 2


def test_a_swap_of_subtrees_exchanges_whole_symbols_of_one_level():
    corpus = corpus_of(EVEN)
    found = corpus.labelled(60, "subtree_swap", 1)
    truth = corpus.grammar.parse_batch(strings_of(corpus, found.tokens[::2]))
    levels = set()
    for i, wrong in enumerate(strings_of(corpus, found.tokens[1::2])):
        explained = [level for level in (1, 2) if wrong in swaps(truth, i, level)]
        assert explained
        levels |= {*explained} if len(explained) == 1 else set()
    assert levels == {1, 2}


def swaps(truth, i, level):
    """String i with every pair of different, equally long symbols of a level swapped."""
    string = truth[i].tolist()
    own = slice(truth.starts[i], truth.starts[i + 1])
    ends = np.flatnonzero(truth.derivations.is_boundary[level, own]) + 1
    spans = list(pairwise([0, *ends.tolist()]))
    symbols = truth.derivations.ancestors[level, own][[first for first, _ in spans]]
    found = set()
    for a, (i1, j1) in enumerate(spans):
        for b, (i2, j2) in list(enumerate(spans))[a + 1 :]:
            if symbols[a] != symbols[b] and j1 - i1 == j2 - i2:
                parts = (string[:i1], string[i2:j2], string[j1:i2], string[i1:j1], string[j2:])
                found.add(tuple(token for part in parts for token in part))
    return found


def test_a_replaced_symbol_has_the_tokens_of_another_symbol_of_its_level():
    corpus = corpus_of(EVEN)
    found = corpus.labelled(60, "symbol_replaced", 1)
    truth = corpus.grammar.parse_batch(strings_of(corpus, found.tokens[::2]))
    for i, wrong in enumerate(strings_of(corpus, found.tokens[1::2])):
        assert any(wrong in replacements(truth, i, level, corpus.grammar) for level in (1, 2))


def replacements(truth, i, level, grammar):
    """String i with each symbol of a level replaced by all strings of the others."""
    string = truth[i].tolist()
    own = slice(truth.starts[i], truth.starts[i + 1])
    ends = np.flatnonzero(truth.derivations.is_boundary[level, own]) + 1
    found = set()
    for first, last in pairwise([0, *ends.tolist()]):
        symbol = truth.derivations.ancestors[level, own][first]
        for other in set(grammar.levels[level]) - {symbol}:
            for tokens in derived(grammar, other):
                found.add((*string[:first], *tokens, *string[last:]))
    return found


def test_the_level_of_the_error_varies_with_the_swapped_level():
    found = CfgConfig(grammar="cfg3b", root=17).build(0).labelled(60, "subtree_swap", 1)
    levels = Counter(found.level[1::2].tolist())
    assert set(levels) == {1, 2, 3}  # the level above each of the three that are swapped
    assert (found.level[::2] == -1).all()
