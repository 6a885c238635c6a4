"""The rules of a levelled grammar, checked at construction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Expansion = tuple[int, ...]
LARGEST = 2**31 - 1  # tables hold 32-bit numbers
Bags = Mapping[int, Mapping[int, float]]  # weights of the tokens that each terminal may become


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules from each level to the next, all alternatives of a symbol equally likely.

    Levels are counted as in the paper: the root alone is on level 1, the terminals on level L.

    Attributes:
        root: The start symbol.
        terminals: The terminals, in ascending order.
        expansions: The alternatives of each nonterminal.
        names: Names of symbols; a symbol without one is called by its number.
        levels: The symbols of each level, root first, each level in ascending order.

    Raises:
        ValueError: Naming the rule or symbol, if a symbol is unknown, unreachable, without rules,
            out of range or shares its name with another; or if a rule is empty, repeated, part of
            a cycle, or skips a level.

    Source:
        Physics of Language Models, Part 1, section 2.1.
    """

    root: int
    terminals: tuple[int, ...]
    expansions: Mapping[int, tuple[Expansion, ...]]
    names: Mapping[int, str] = field(default_factory=dict)
    levels: tuple[tuple[int, ...], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "terminals", tuple(sorted(self.terminals)))
        self._check_numbers()
        self._check_rules()
        self._check_cycles()
        object.__setattr__(self, "levels", self._levels())

    def __iter__(self) -> Iterator[tuple[int, Expansion]]:
        """All rules, each as its left-hand and right-hand side."""
        for symbol, alternatives in self.expansions.items():
            for expansion in alternatives:
                yield symbol, expansion

    def name(self, symbol: int) -> str:
        """The name of a symbol."""
        return self.names.get(symbol, str(symbol))

    def written(self, symbol: int, expansion: Sequence[int]) -> str:
        """A rule in the notation of grammar files."""
        return f"{self.name(symbol)} -> {' '.join(map(self.name, expansion))}"

    def reachable_from(self, root: int | str) -> "Rules":
        """The rules that are reachable from one symbol; all symbols keep their numbers.

        Raises:
            ValueError: If ``root`` is not a nonterminal.
        """
        by_name = {self.name(symbol): symbol for symbol in self.expansions}
        symbol = by_name.get(str(root), root)
        if not isinstance(symbol, int) or symbol not in self.expansions:
            raise ValueError(f"root={root} is not a nonterminal; use one of {', '.join(by_name)}")
        kept = reached_from(symbol, self.expansions)
        return Rules(
            symbol,
            tuple(t for t in self.terminals if t in kept),
            {symbol: rules for symbol, rules in self.expansions.items() if symbol in kept},
            {symbol: name for symbol, name in self.names.items() if symbol in kept},
        )

    def _check_numbers(self) -> None:
        called: dict[str, int] = {}
        for symbol in (*self.terminals, *self.expansions):
            if type(symbol) is not int or not 0 <= symbol <= LARGEST:
                raise ValueError(f"symbol {symbol}; must be a whole number from 0 to {LARGEST}")
            other = called.setdefault(self.name(symbol), symbol)
            if other != symbol:
                raise ValueError(
                    f"symbols {other} and {symbol} are both called {self.name(symbol)}; rename one"
                )

    def _check_rules(self) -> None:
        terminals = set(self.terminals)
        known = {*terminals, *self.expansions}
        if self.root not in self.expansions:
            raise ValueError(f"root {self.name(self.root)} has no rule; give it one")
        for symbol, alternatives in self.expansions.items():
            if symbol in terminals:
                raise ValueError(f"terminal {self.name(symbol)} has a rule; terminals have none")
            if not alternatives:
                raise ValueError(f"symbol {self.name(symbol)} has no rule; give it one")
            if len(set(alternatives)) < len(alternatives):
                twice = next(e for e in alternatives if alternatives.count(e) > 1)
                raise ValueError(f"rule {self.written(symbol, twice)} appears twice; remove one")
        for symbol, expansion in self:
            if not expansion:
                raise ValueError(f"rule {self.name(symbol)} -> has an empty right-hand side")
            if unknown := [s for s in expansion if s not in known]:
                raise ValueError(
                    f"rule {self.written(symbol, expansion)}: unknown symbol "
                    f"{self.name(unknown[0])}; give it a rule or name it among the terminals"
                )
        if unreachable := sorted(known - reached_from(self.root, self.expansions)):
            raise ValueError(
                f"symbol {self.name(unreachable[0])} cannot be reached from the root "
                f"{self.name(self.root)}; remove it or use it in a rule"
            )

    def _check_cycles(self) -> None:
        """Depth-first search: a symbol that is reached again while it is open is on a cycle."""
        closed: set[int] = set()
        open_symbols = {self.root: None}  # an ordered set: the path from the root
        branches = [iter(self._children(self.root))]
        while branches:
            child = next(branches[-1], None)
            if child is None:
                branches.pop()
                closed.add(open_symbols.popitem()[0])
            elif child in open_symbols:
                path = list(open_symbols)
                cycle = [*path[path.index(child) :], child]
                raise ValueError(f"cycle {' -> '.join(map(self.name, cycle))}; remove one rule")
            elif child not in closed:
                open_symbols[child] = None
                branches.append(iter(self._children(child)))

    def _children(self, symbol: int) -> list[int]:
        return [s for expansion in self.expansions.get(symbol, ()) for s in expansion]

    def _levels(self) -> tuple[tuple[int, ...], ...]:
        """Breadth-first search: a symbol reached on two levels shows that a rule skips a level."""
        level_of = {self.root: 1}
        waiting = [self.root]
        for symbol in waiting:
            for expansion in self.expansions.get(symbol, ()):
                for child in expansion:
                    if child not in level_of:
                        level_of[child] = level_of[symbol] + 1
                        waiting.append(child)
                    self._require_next(symbol, expansion, child, level_of)
        n_levels = max(level_of.values())
        for terminal in self.terminals:
            if level_of[terminal] != n_levels:
                raise ValueError(
                    f"terminal {self.name(terminal)} is on level {level_of[terminal]}, others on "
                    f"level {n_levels}; all terminals are on the last level"
                )
        levels: list[list[int]] = [[] for _ in range(n_levels)]
        for symbol, level in sorted(level_of.items()):
            levels[level - 1].append(symbol)
        return tuple(map(tuple, levels))

    def _require_next(
        self, symbol: int, expansion: Expansion, child: int, level_of: Mapping[int, int]
    ) -> None:
        if level_of[child] != level_of[symbol] + 1:
            raise ValueError(
                f"rule {self.written(symbol, expansion)} skips a level: {self.name(symbol)} is on "
                f"level {level_of[symbol]}, {self.name(child)} on level {level_of[child]}; "
                "every rule leads to the next level"
            )


def reached_from(root: int, expansions: Mapping[int, Sequence[Expansion]]) -> set[int]:
    """All symbols in the derivations of one symbol, including itself."""
    found, waiting = {root}, [root]
    while waiting:
        for expansion in expansions.get(waiting.pop(), ()):
            waiting += set(expansion) - found
            found |= set(expansion)
    return found
