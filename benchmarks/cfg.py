"""Context-free languages: drawing strings, membership, next-token distributions."""

import random
from collections.abc import Callable, Iterator

import nltk
import numpy as np

from benchmarks.timing import Row, race, row
from physlm.data.cfg import Grammar, load_grammar
from physlm.rng import stream

_NAME = "cfg3f"
_N_DRAWN, _N_PARSED = 20_000, 500


def cfg_rows() -> list[Row]:
    """On one core, on strings of cfg3f, which have 250 tokens on average."""
    grammar = load_grammar(_NAME)
    return [*_sampling_rows(grammar), *_membership_rows(grammar), *_distribution_rows(grammar)]


def _sampling_rows(grammar: Grammar) -> list[Row]:
    rng = stream(0, "benchmark")

    def ours(*, derivations: bool) -> Callable[[], int]:
        n = _N_DRAWN // 4 if derivations else _N_DRAWN
        return lambda: len(grammar.sample(rng, n, derivations=derivations).tokens)

    speeds = race(
        7,
        strings=ours(derivations=False),
        derivations=ours(derivations=True),
        plain=plain_strings(grammar),
        plain_derivations=plain_derivations(grammar),
    )
    return [
        row(
            "drawing strings", _NAME, "plain Python", speeds["strings"], speeds["plain"], "tokens/s"
        ),
        row(
            "drawing strings with derivations",
            _NAME,
            "plain Python",
            speeds["derivations"],
            speeds["plain_derivations"],
            "tokens/s",
        ),
    ]


def _membership_rows(grammar: Grammar) -> list[Row]:
    strings = grammar.sample(stream(1, "benchmark"), _N_PARSED)
    chart, earley = nltk.ChartParser(grammar.to_nltk()), nltk.EarleyChartParser(grammar.to_nltk())
    texts = iter([[str(token) for token in string] for string in strings] * 100)

    def ours() -> int:
        assert grammar.accepts_batch(strings).all()
        return len(strings)

    def parsed(parser: nltk.ChartParser) -> Callable[[], int]:
        def run() -> int:
            assert next(parser.parse(next(texts)), None) is not None
            return 1

        return run

    speeds = race(7, ours=ours, chart=parsed(chart), earley=parsed(earley))
    return [
        row("membership", _NAME, f"nltk {name}", speeds["ours"], speeds[key], "strings/s")
        for key, name in (("chart", "ChartParser"), ("earley", "EarleyChartParser"))
    ]


def _distribution_rows(grammar: Grammar) -> list[Row]:
    strings = list(grammar.sample(stream(2, "benchmark"), _N_PARSED))
    turns = iter(strings * 100)

    def ours() -> int:
        for string in strings[:100]:
            grammar.next_token_distribution(string)
        return 100

    def theirs() -> int:
        dense_distributions(grammar, next(turns))
        return 1

    speeds = race(7, ours=ours, theirs=theirs)
    return [
        row(
            "next-token distributions",
            _NAME,
            "NumPy, dense tables",
            speeds["ours"],
            speeds["theirs"],
            "strings/s",
        )
    ]


def plain_strings(grammar: Grammar) -> Callable[[], int]:
    """Strings by recursion over lists, as one writes it without compiled code."""
    rng, expansions, terminals = random.Random(0), grammar.rules.expansions, grammar.rules.terminals

    def expand(symbol: int, out: list[int]) -> None:
        if symbol in terminals:
            out.append(symbol)
        else:
            for child in rng.choice(expansions[symbol]):
                expand(child, out)

    def run() -> int:
        n = 0
        for _ in range(_N_DRAWN // 100):
            out: list[int] = []
            expand(grammar.rules.root, out)
            n += len(out)
        return n

    return run


def plain_derivations(grammar: Grammar) -> Callable[[], int]:
    """The same with each token's ancestors and their numbers."""
    rng, expansions, terminals = random.Random(0), grammar.rules.expansions, grammar.rules.terminals

    def expand(
        symbol: int, path: tuple[tuple[int, int], ...], counts: list[int], out: list[object]
    ) -> None:
        path = (*path, (symbol, counts[len(path)]))
        counts[len(path) - 1] += 1
        if symbol in terminals:
            out.append((symbol, path))
        else:
            for child in rng.choice(expansions[symbol]):
                expand(child, path, counts, out)

    def run() -> int:
        n = 0
        for _ in range(_N_DRAWN // 100):
            out: list[object] = []
            expand(grammar.rules.root, (), [0] * len(grammar.levels), out)
            n += len(out)
        return n

    return run


def dense_distributions(grammar: Grammar, string: np.ndarray) -> np.ndarray:
    """Every next-token distribution by products of dense span tables, one for each symbol.

    Source:
        Physics of Language Models, Part 1, appendix on the two-step dynamic programme.
    """
    n, tokens, scale = len(string), grammar.tokens, grammar.scale
    spans = {t: np.diag(scale * (string == t), k=1) for t in grammar.rules.terminals}
    starts = {(t, a): scale * np.eye(n + 1) * (t == a) for t in tokens for a in tokens}
    for symbol, alternatives in _upward(grammar):
        weight = 1 / len(alternatives)
        spans[symbol] = weight * sum(_product([spans[c] for c in row]) for row in alternatives)
        for token in tokens:
            starts[symbol, token] = weight * sum(
                _product([*(spans[c] for c in row[:k]), starts[row[k], token]])
                for row in alternatives
                for k in range(len(row))
            )
    root = grammar.rules.root
    columns = [spans[root][0] * scale, *(starts[root, token][0] for token in tokens)]
    weights = np.stack(columns, axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


def _upward(grammar: Grammar) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    for level in reversed(grammar.levels[:-1]):
        for symbol in level:
            yield symbol, grammar.rules.expansions[symbol]


def _product(tables: list[np.ndarray]) -> np.ndarray:
    return tables[0] if len(tables) == 1 else np.linalg.multi_dot(tables)
