"""Grammars as text, in the JSON form of the papers' release, and as nltk's."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nltk

from physlm.data.cfg.rules import Bags, Expansion, Rules, reached_from


def from_text(text: str) -> Rules:
    """Read rules as they are written in the files of this package.

    One line names the root, one the terminals, and each other one a symbol with its alternatives:
    ``22 -> 21 20 | 20 19``. What follows ``#`` is a comment. Symbols are numbers or, all of them,
    words; words are numbered upward from the terminals, in the order named.

    Raises:
        ValueError: If a line is none of these, or the rules break a rule of grammars.
    """
    root: str | None = None
    terminals: list[str] = []
    alternatives: dict[str, list[list[str]]] = {}
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        left, arrow, right = line.partition("->")
        words = line.split()
        if arrow and len(left.split()) == 1:
            rows = alternatives.setdefault(left.strip(), [])
            rows += [row.split() for row in right.split("|")]
        elif words and words[0] == "root" and len(words) == 2:
            root = words[1]
        elif words and words[0] == "terminals" and len(words) > 1:
            terminals = words[1:]
        elif words:
            raise ValueError(f"line {line!r}; write 'root X', 'terminals a b' or 'X -> Y Z | Z Y'")
    if root is None or not terminals:
        raise ValueError("a grammar needs a line 'root X' and a line 'terminals a b c'")
    return _numbered(root, terminals, alternatives)


def to_text(rules: Rules) -> str:
    """Rules as text that ``from_text`` reads."""
    name = rules.name
    lines = [f"root {name(rules.root)}", f"terminals {' '.join(map(name, rules.terminals))}"]
    for level in rules.levels[:-1]:
        lines.append("")
        for symbol in level:
            rows = (" ".join(map(name, row)) for row in rules.expansions[symbol])
            lines.append(f"{name(symbol)} -> {' | '.join(rows)}")
    return "\n".join(lines) + "\n"


def from_json(text: str) -> tuple[Rules, Bags]:
    """Read the JSON form of the release.

    There ``idx`` holds the ids of the symbols, level by level, and ``all`` for each of them its
    ``children``: places in the next level, not ids. In implicit grammars ``content_map`` holds the
    bag of each terminal, and ``multi_vocab`` says whether a bag's n-th token has weight n. Symbols
    that no derivation reaches, as in cfg3e1, are left out.

    Raises:
        ValueError: If the text is of another form, or the rules break a rule of grammars.

    Source:
        Physics of Language Models, Part 1: the grammars published with Part 4.
    """
    try:
        content = json.loads(text)
        ids = content["idx"]
        if len(ids[0]) != 1:
            raise ValueError(f"the first level has the symbols {ids[0]}; a grammar has one root")
        root = ids[0][0]
        expansions = {
            symbol: tuple(_placed(row, ids[i + 1], symbol) for row in node["children"])
            for i, level in enumerate(ids[:-1])
            for symbol, node in zip(level, content["all"][i], strict=True)
        }
        used = reached_from(root, expansions)
        kept = {symbol: rows for symbol, rows in expansions.items() if symbol in used}
        rules = Rules(root, tuple(ids[-1]), kept)
        kind = content.get("multi_vocab")
        bags = {} if kind is None else _bags(ids[-1], content["content_map"], str(kind))
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error})") from error
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"no grammar in the released JSON form, which has idx and all ({error!r})"
        ) from error
    return rules, bags


def from_nltk(grammar: nltk.CFG) -> Rules:
    """The rules of an nltk grammar, whose symbols are numbers or words.

    Raises:
        ValueError: If the rules break a rule of grammars, for example lead not one level down.
    """
    alternatives: dict[str, list[list[str]]] = {}
    for production in grammar.productions():
        rows = alternatives.setdefault(str(production.lhs()), [])
        rows.append([str(symbol) for symbol in production.rhs()])
    terminals = dict.fromkeys(
        str(symbol)
        for production in grammar.productions()
        for symbol in production.rhs()
        if not isinstance(symbol, nltk.Nonterminal)
    )
    return _numbered(str(grammar.start()), list(terminals), alternatives)


def to_nltk(rules: Rules) -> nltk.CFG:
    """An nltk grammar over the names of the symbols."""

    def symbol(number: int) -> Any:
        name = rules.name(number)
        return name if number in rules.terminals else nltk.Nonterminal(name)

    productions = [
        nltk.Production(symbol(left), [symbol(child) for child in right]) for left, right in rules
    ]
    return nltk.CFG(symbol(rules.root), productions)


def _numbered(
    root: str, terminals: Sequence[str], alternatives: Mapping[str, Sequence[Sequence[str]]]
) -> Rules:
    """Rules over the numbers of their symbols."""
    words = [*terminals, *reversed([s for s in alternatives if s not in terminals])]
    used = {s for rows in alternatives.values() for row in rows for s in row}
    words += sorted({*used, root} - set(words))  # unknown ones, which the rules then name
    if all(word.isdecimal() for word in words):
        numbers, names = {word: int(word) for word in words}, {}
    else:
        numbers = {word: i for i, word in enumerate(dict.fromkeys(words), start=1)}
        names = {i: word for word, i in numbers.items()}
    if len(set(terminals)) < len(terminals):
        raise ValueError(f"terminals {' '.join(terminals)}: one is named twice")
    return Rules(
        numbers[root],
        tuple(numbers[word] for word in terminals),
        {numbers[left]: _rows(rows, numbers) for left, rows in alternatives.items()},
        names,
    )


def _rows(rows: Iterable[Sequence[str]], numbers: Mapping[str, int]) -> tuple[Expansion, ...]:
    return tuple(tuple(numbers[word] for word in row) for row in rows)


def _placed(places: Sequence[int], below: Sequence[int], symbol: int) -> Expansion:
    """The symbols at some places of the next level."""
    if outside := [k for k in places if not 0 <= k < len(below)]:
        raise ValueError(
            f"symbol {symbol}: child {outside[0]} is no place in the next level, which has "
            f"{len(below)} symbols"
        )
    return tuple(below[k] for k in places)


def _bags(terminals: Sequence[int], content: Sequence[Sequence[int]], kind: str) -> Bags:
    is_uniform = "NU1" not in kind
    return {
        terminal: {token: 1.0 if is_uniform else float(i) for i, token in enumerate(bag, start=1)}
        for terminal, bag in zip(terminals, content, strict=True)
    }
