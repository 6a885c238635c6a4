"""Small grammars whose languages can be enumerated."""

from collections import defaultdict
from functools import cache
from itertools import product

import nltk
import pytest

from physlm.data.cfg import Grammar
from physlm.data.cfg.families import Family, random_bags, random_rules
from physlm.rng import stream

SMALL = [
    Family((1, 2, 2), (1, 2), lengths=(1, 3)),
    Family((1, 2, 3), (2, 2)),
    Family((1, 2, 2, 2), (1, 2), lengths=(1, 2)),
    Family((1, 2, 2, 2), (2, 3), lengths=(1, 2)),
    Family((1, 2, 2, 2, 2), (2, 2), lengths=(1, 2)),
]


@cache
def small_grammar(number: int) -> Grammar:
    """One of many small grammars, every third with bags, most of them ambiguous."""
    rules = random_rules(SMALL[number % len(SMALL)], number)
    if number % 3:
        return Grammar(rules)
    bags = random_bags(
        rules.terminals,
        3,
        stream(number, "bags"),
        is_disjoint=number % 2 == 0,
        is_uniform=number % 4 == 0,
    )
    return Grammar(rules, bags)


@cache
def language(grammar_number: int) -> dict[tuple[int, ...], float]:
    """Every string with its probability, by enumerating all derivations."""
    grammar = small_grammar(grammar_number)
    return derived(grammar, grammar.rules.root)


def derived(grammar: Grammar, symbol: int) -> dict[tuple[int, ...], float]:
    """Every string of a symbol with its probability."""
    if symbol in grammar.rules.terminals:
        bag = grammar.bags.get(symbol, {symbol: 1.0})
        return {(token,): weight / sum(bag.values()) for token, weight in bag.items()}
    found: dict[tuple[int, ...], float] = defaultdict(float)
    alternatives = grammar.rules.expansions[symbol]
    for expansion in alternatives:
        for parts in product(*(derived(grammar, child).items() for child in expansion)):
            text = tuple(token for tokens, _ in parts for token in tokens)
            probability = 1 / len(alternatives)
            for _, p in parts:
                probability *= p
            found[text] += probability
    return dict(found)


def nltk_grammar(grammar: Grammar) -> nltk.CFG:
    """The grammar for nltk, with a rule for every token of a bag."""
    plain = grammar.to_nltk()
    if not grammar.bags:
        return plain
    symbol = {str(t): nltk.Nonterminal(f"t{t}") for t in grammar.rules.terminals}
    rules = [
        nltk.Production(p.lhs(), [symbol.get(s, s) for s in p.rhs()]) for p in plain.productions()
    ]
    rules += [
        nltk.Production(symbol[str(t)], [f"token{token}"])
        for t, bag in grammar.bags.items()
        for token in bag
    ]
    return nltk.CFG(plain.start(), rules)


@pytest.fixture(scope="session", params=range(0, 48, 4))
def number(request) -> int:
    return request.param
