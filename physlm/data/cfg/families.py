"""Random grammars with the shapes of published ones, and random bags of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from physlm.data.cfg.rules import Bags, Expansion, Rules, reached_from
from physlm.memory import require_memory
from physlm.rng import stream

_MOST_DRAWS = 200
_MOST_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution over random grammars.

    Attributes:
        sizes: Number of symbols on each level, from the root's to the terminals'.
        n_rules: Minimum and maximum number of alternatives of a symbol, drawn uniformly.
        lengths: Minimum and maximum length of a right-hand side, drawn uniformly.
        is_distinct: Whether the symbols of a right-hand side are distinct.
        has_unit_chain: Whether the first symbol of each level below the root has a single rule,
            to the first symbol of the next level.

    Source:
        Physics of Language Models, Part 1, section 2.1 and the generator published with Part 4:
        no two rules of a level have the same right-hand side, even for different symbols.
    """

    sizes: tuple[int, ...]
    n_rules: tuple[int, int]
    lengths: tuple[int, int] = (2, 3)
    is_distinct: bool = False
    has_unit_chain: bool = False


# The shapes of cfg0, cfg8 and cfg9 are published; their numbers of rules are not, here 2 or 3.
FAMILIES = {
    "cfg3b": Family((1, *(3,) * 6), (2, 2), is_distinct=True),
    "cfg3i": Family((1, *(3,) * 6), (2, 2)),
    "cfg3h": Family((1, *(3,) * 6), (2, 3)),
    "cfg3g": Family((1, *(3,) * 6), (3, 3)),
    "cfg3f": Family((1, *(3,) * 6), (3, 4)),
    "cfg3j": Family((1, *(3,) * 7), (3, 3)),
    "cfg3k": Family((1, *(3,) * 7), (3, 4)),
    "cfg3e1": Family((1, 3, 9, 27, 81, 27, 9), (3, 3)),
    "cfg3e2": Family((1, 3, 9, 27, 27, 9, 4), (3, 3)),
    "cfg0a": Family((1, 2, 3, *(4,) * 8), (2, 3), lengths=(1, 2)),
    "cfg0b": Family((1, 2, 3, 4, 5, *(6,) * 6), (2, 3), lengths=(1, 2)),
    "cfg0c": Family(tuple(range(1, 12)), (2, 3), lengths=(1, 2)),
    "cfg8a": Family((1, *(3,) * 7), (2, 3), lengths=(1, 3)),
    "cfg8b": Family((1, *(3,) * 6, 4), (2, 3), lengths=(1, 3)),
    "cfg9a": Family((1, *(4,) * 6), (2, 3), has_unit_chain=True),
}


def random_rules(family: Family, seed: int) -> Rules:
    """Rules drawn from a family, with symbols numbered upward from the terminals.

    Draws with an unused symbol are rejected. If none of many draws uses all symbols, as with the
    81 symbols of one level of cfg3e1, unused symbols are removed from the last draw.

    Raises:
        ValueError: If a level has too few right-hand sides for its rules.
    """
    rng = stream(seed, "grammar")
    for _ in range(_MOST_DRAWS):
        root, terminals, expansions = _draw(family, rng)
        if len(reached_from(root, expansions)) == sum(family.sizes):
            return Rules(root, terminals, expansions)
    used = reached_from(root, expansions)
    kept = {symbol: rows for symbol, rows in expansions.items() if symbol in used}
    return Rules(root, tuple(t for t in terminals if t in used), kept)


def random_bags(
    terminals: Sequence[int],
    n_tokens: int,
    rng: np.random.Generator,
    *,
    is_disjoint: bool,
    is_uniform: bool,
) -> Bags:
    """Bags of the tokens 1 to ``n_tokens``, one for each terminal.

    Disjoint bags are dealt in turn from the shuffled tokens. Overlapping bags are drawn with
    repetition, of such a size that a token is drawn 1.5 times on average.

    Args:
        terminals: The terminals.
        n_tokens: Tokens of all bags.
        rng: The random generator.
        is_disjoint: Whether bags are disjoint.
        is_uniform: Whether all tokens of a bag have the same weight; else the n-th has weight n.

    Raises:
        ValueError: If there are fewer tokens than terminals.

    Source:
        Physics of Language Models, Part 1, result 10.
    """
    n = len(terminals)
    if n_tokens < n:
        raise ValueError(f"n_tokens={n_tokens}; each of the {n} terminals needs at least one")
    require_memory({f"n_bag_tokens={n_tokens}": (100 + 16 * n) * n_tokens})
    shuffled = rng.permutation(np.arange(1, n_tokens + 1))
    size = max(1, n_tokens * 3 // (2 * n))
    bags = [
        shuffled[i::n] if is_disjoint else np.unique(rng.integers(1, n_tokens + 1, size))
        for i in range(n)
    ]
    return {
        terminal: {int(t): 1.0 if is_uniform else float(i) for i, t in enumerate(bag, start=1)}
        for terminal, bag in zip(terminals, bags, strict=True)
    }


def _draw(
    family: Family, rng: np.random.Generator
) -> tuple[int, tuple[int, ...], dict[int, tuple[Expansion, ...]]]:
    """One draw: the root, the terminals, and the alternatives of every symbol."""
    tops = np.cumsum(family.sizes[::-1])[::-1].tolist()
    levels = [tuple(range(top - n + 1, top + 1)) for top, n in zip(tops, family.sizes, strict=True)]
    expansions: dict[int, tuple[Expansion, ...]] = {}
    for level, below in pairwise(levels):
        used: set[Expansion] = set()
        for symbol in level:
            if family.has_unit_chain and symbol == level[0] and len(level) > 1:
                rows: list[Expansion] = [(below[0],)]
            else:
                n_rules = rng.integers(family.n_rules[0], family.n_rules[1] + 1)
                rows = [_new_row(family, below, used, rng) for _ in range(n_rules)]
            used |= set(rows)
            expansions[symbol] = tuple(rows)
    return levels[0][0], levels[-1], expansions


def _new_row(
    family: Family, below: Sequence[int], used: set[Expansion], rng: np.random.Generator
) -> Expansion:
    """A right-hand side that no rule of the level has yet; it is added to ``used``."""
    for _ in range(_MOST_TRIES):
        length = int(rng.integers(family.lengths[0], family.lengths[1] + 1))
        if family.is_distinct and length > len(below):
            continue
        row = tuple(rng.choice(below, length, replace=not family.is_distinct).tolist())
        if row not in used:
            used.add(row)
            return row
    raise ValueError(
        f"a level of {len(below)} symbols has too few right-hand sides of length "
        f"{family.lengths[0]} to {family.lengths[1]} for the rules above it; use fewer rules"
    )
