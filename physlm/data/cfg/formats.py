"""Grammars as text, in the JSON form of the papers' release, and as nltk grammars."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from physlm.data.cfg.notation import (
    ARROW,
    BAR,
    Line,
    Word,
    read_lines,
    require_clear_comments,
    written,
)
from physlm.data.cfg.released import read_released
from physlm.data.cfg.rules import LARGEST, Bags, Expansion, Rules, reached_from

if TYPE_CHECKING:
    import nltk

_NUMBER = re.compile("0|[1-9][0-9]*")  # 01 is a word: as a number it would equal 1
_FORM = (
    "write 'root X', 'terminals a b' or 'X -> Y Z | Z Y', and symbols that contain a blank, -> or "
    "| in quotation marks"
)


def from_text(text: str) -> Rules:
    """Read rules in the notation of this package's grammar files.

    One line names the root, one the terminals, and every other line a symbol with its alternatives:
    ``22 -> 21 20 | 20 19``. A symbol is written bare or in quotation marks with the escapes of
    JSON: ``"New York"``, ``"#"``. A line that begins with ``#`` is a comment, and so is the rest of
    a line after a blank and ``#``, unless it may be symbols. Symbols are all numbers or all words;
    words are numbered upward from the terminals, in order of appearance.

    Raises:
        ValueError: If a line has another form, or the rules do not form a levelled grammar.
    """
    lines = read_lines(text.removeprefix("\ufeff"))
    require_clear_comments(lines)
    named: dict[str, list[str]] = {}
    alternatives: dict[str, list[list[str]]] = {}
    for line in lines:
        if ARROW in line.words:
            left, rows = _rule(line)
            alternatives.setdefault(left, []).extend(rows)
        elif line.words:
            keyword, symbols = _named(line)
            if keyword in named:
                raise line.refused(f"a second line {keyword!r}; remove one of them")
            named[keyword] = symbols
    if named.keys() != {"root", "terminals"}:
        raise ValueError("a grammar needs a line 'root X' and a line 'terminals a b c'")
    return _numbered(named["root"][0], named["terminals"], alternatives)


def to_text(rules: Rules) -> str:
    """Rules as text; `from_text` inverts it.

    Nonterminals that are words are written in descending order of their numbers, so that reading
    gives them the same numbers again.
    """
    names = {symbol: written(rules.name(symbol)) for level in rules.levels for symbol in level}
    terminals = " ".join(names[symbol] for symbol in rules.terminals)
    lines = [f"root {names[rules.root]}", f"terminals {terminals}"]
    for symbol, is_new_level in _in_order(rules):
        rows = (" ".join(names[child] for child in row) for row in rules.expansions[symbol])
        lines += [""] * is_new_level + [f"{names[symbol]} -> {' | '.join(rows)}"]
    return "\n".join(lines) + "\n"


def from_json(text: str) -> tuple[Rules, Bags]:
    """Read the JSON form of the papers' release.

    ``idx`` holds the ids of the symbols by level, and ``all`` the ``children`` of each symbol, as
    indices into the next level. In implicit grammars ``content_map`` holds the bag of each
    terminal, and ``multi_vocab`` says whether the n-th token of a bag has weight n. Symbols that no
    derivation reaches, as in cfg3e1, are removed.

    Raises:
        ValueError: If the text has another form, or the rules do not form a levelled grammar.

    Source:
        Physics of Language Models, Part 1: the grammars published with Part 4.
    """
    found = read_released(text)
    root = found.levels[0][0]
    used = reached_from(root, found.expansions)
    kept = {symbol: rows for symbol, rows in found.expansions.items() if symbol in used}
    return Rules(root, tuple(found.levels[-1]), kept), found.bags


def from_nltk(grammar: "nltk.CFG") -> Rules:
    """The rules of an nltk grammar, whose symbols are numbers or words.

    Raises:
        ValueError: If the rules do not form a levelled grammar, for example skip a level.
    """
    import nltk

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


def to_nltk(rules: Rules) -> "nltk.CFG":
    """An nltk grammar over the names of the symbols."""
    import nltk

    def symbol(number: int) -> Any:
        name = rules.name(number)
        return name if number in rules.terminals else nltk.Nonterminal(name)

    productions = [
        nltk.Production(symbol(left), [symbol(child) for child in right]) for left, right in rules
    ]
    return nltk.CFG(symbol(rules.root), productions)


def _named(line: Line) -> tuple[str, list[str]]:
    """The keyword of a line, ``root`` or ``terminals``, and its symbols."""
    keyword, *symbols = line.words
    is_root = keyword == Word("root") and len(symbols) == 1
    if BAR in symbols or not (is_root or (keyword == Word("terminals") and symbols)):
        raise line.refused(_FORM)
    return keyword.text, [symbol.text for symbol in symbols]


def _rule(line: Line) -> tuple[str, list[list[str]]]:
    """The symbol and the alternatives of a line."""
    place = line.words.index(ARROW)
    left, right = line.words[:place], line.words[place + 1 :]
    if len(left) != 1 or BAR in left or ARROW in right:
        raise line.refused(_FORM)
    rows: list[list[str]] = [[]]
    for word in right:
        if word == BAR:
            rows.append([])
        else:
            rows[-1].append(word.text)
    return left[0].text, rows


def _in_order(rules: Rules) -> Iterator[tuple[int, bool]]:
    """The nonterminals in order of writing, each with whether it begins a new level."""
    level_of = {symbol: i for i, level in enumerate(rules.levels[:-1]) for symbol in level}
    order, before = sorted(level_of, reverse=True) if rules.names else level_of, None
    for symbol in order:
        yield symbol, level_of[symbol] != before
        before = level_of[symbol]


def _numbered(
    root: str, terminals: Sequence[str], alternatives: Mapping[str, Sequence[Sequence[str]]]
) -> Rules:
    """Rules over numbered symbols, from rules over text."""
    known = set(terminals)
    words = [*terminals, *reversed([s for s in alternatives if s not in known])]
    used = {s for rows in alternatives.values() for row in rows for s in row}
    words += sorted({*used, root} - set(words))  # unknown symbols, which `Rules` refuses by name
    if all(_NUMBER.fullmatch(word) for word in words):
        numbers, names = {word: _number(word) for word in words}, {}
    else:
        numbers = {word: i for i, word in enumerate(dict.fromkeys(words), start=1)}
        names = {i: word for word, i in numbers.items()}
    if len(known) < len(terminals):
        raise ValueError(f"terminals {' '.join(terminals)}: one is named twice; name each once")
    return Rules(
        numbers[root],
        tuple(numbers[word] for word in terminals),
        {numbers[left]: _rows(rows, numbers) for left, rows in alternatives.items()},
        names,
    )


def _number(word: str) -> int:
    if len(word) > len(str(LARGEST)):  # before int(), which is slow for very many digits
        raise ValueError(f"symbol {word[:20]}... exceeds {LARGEST}, the largest number")
    return int(word)


def _rows(rows: Iterable[Sequence[str]], numbers: Mapping[str, int]) -> tuple[Expansion, ...]:
    return tuple(tuple(numbers[word] for word in row) for row in rows)
