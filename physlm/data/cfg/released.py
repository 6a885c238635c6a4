"""Reader of the papers' released grammars, which checks every part of a file."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from physlm.data.cfg.rules import Bags, Expansion


@dataclass(frozen=True, slots=True)
class Released:
    """A released grammar.

    Attributes:
        levels: The symbols of each level.
        expansions: The alternatives of each symbol above the terminals.
        bags: Bags of the terminals, in an implicit grammar.
    """

    levels: list[list[int]]
    expansions: dict[int, tuple[Expansion, ...]]
    bags: Bags


def read_released(text: str) -> Released:
    """The grammar in the text of a released file.

    Raises:
        ValueError: Naming the key, if the text is not JSON or has another form.
    """
    content = _content(text)
    levels = _levels(content)
    expansions = {
        symbol: tuple(_placed(row, below, symbol) for row in _children(node, symbol))
        for level, below, nodes in zip(levels, levels[1:], _nodes(content, levels), strict=False)
        for symbol, node in zip(level, nodes, strict=True)
    }
    return Released(levels, expansions, _bags(levels[-1], content))


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_mapping, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error})") from error
    except RecursionError as error:
        raise ValueError("not a grammar in the released JSON form: too deeply nested") from error
    if not isinstance(content, dict):
        raise _other_form("the file is not a mapping")
    return content


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} appears twice; remove one of them")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of a grammar; use whole numbers")


def _other_form(why: str) -> ValueError:
    return ValueError(f"not a grammar in the released JSON form, which has idx and all ({why})")


def _levels(content: dict[str, Any]) -> list[list[int]]:
    """The ids of the symbols of each level."""
    levels = _list(content.get("idx"), "idx")
    ids = [_numbers(level, f"idx[{i}]") for i, level in enumerate(levels)]
    if len(ids) < 2:
        raise _other_form(f"idx has {len(ids)} levels, not 2 or more")
    if len(ids[0]) != 1:
        raise ValueError(f"the first level has the symbols {ids[0]}; a grammar has one root")
    level_of: dict[int, int] = {}
    for i, symbol in ((i, symbol) for i, level in enumerate(ids) for symbol in level):
        if symbol in level_of:
            raise ValueError(
                f"symbol {symbol} is in idx[{level_of[symbol]}] and in idx[{i}]; list it once"
            )
        level_of[symbol] = i
    return ids


def _nodes(content: dict[str, Any], ids: Sequence[Sequence[int]]) -> list[list[Any]]:
    """The entries of ``all`` for the symbols above the terminals."""
    levels = _list(content.get("all"), "all")
    if len(levels) not in (len(ids) - 1, len(ids)):
        raise _other_form(f"all has {len(levels)} levels, and idx {len(ids)}")
    nodes = [_list(level, f"all[{i}]") for i, level in enumerate(levels[: len(ids) - 1])]
    for i, (level, row) in enumerate(zip(ids, nodes, strict=False)):
        if len(level) != len(row):
            raise _other_form(f"all[{i}] has {len(row)} symbols, and idx[{i}] {len(level)}")
    return nodes


def _children(node: Any, symbol: int) -> list[list[int]]:
    name = f"the children of symbol {symbol}"
    if not isinstance(node, dict):
        raise _other_form(f"no mapping with {name}")
    if node.get("id", symbol) != symbol:
        raise ValueError(f"symbol {symbol} of idx has the id {node['id']!r} in all")
    return [_numbers(row, name) for row in _list(node.get("children"), name)]


def _placed(places: Sequence[int], below: Sequence[int], symbol: int) -> Expansion:
    """The symbols at some indices of the next level."""
    if outside := [k for k in places if not 0 <= k < len(below)]:
        raise ValueError(
            f"symbol {symbol}: child {outside[0]} is not an index into the next level, which has "
            f"{len(below)} symbols"
        )
    return tuple(below[k] for k in places)


def _bags(terminals: Sequence[int], content: dict[str, Any]) -> Bags:
    """The weights of the tokens of each terminal; weights of a repeated token add up."""
    kind = content.get("multi_vocab")
    if kind is None:
        return {}
    if not isinstance(kind, str):
        raise _other_form(f"multi_vocab={kind!r} is not a string")
    rows = _list(content.get("content_map"), "content_map")
    if len(rows) != len(terminals):
        raise _other_form(f"content_map has {len(rows)} bags for {len(terminals)} terminals")
    bags: dict[int, dict[int, float]] = {terminal: defaultdict(float) for terminal in terminals}
    for terminal, row in zip(terminals, rows, strict=True):
        tokens = _numbers(row, f"the bag of terminal {terminal}")
        for i, token in enumerate(tokens, start=1):
            bags[terminal][token] += 1.0 if "NU1" not in kind else float(i)
    return {terminal: dict(bag) for terminal, bag in bags.items()}


def _numbers(value: Any, name: str) -> list[int]:
    numbers = _list(value, name)
    if other := [number for number in numbers if type(number) is not int]:
        raise _other_form(f"{name} contains {other[0]!r}, which is not a whole number")
    return numbers


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _other_form(f"{name} is not a list")
    return value
