"""Descriptions of the keys of a schema, with units, from comments and docstrings."""

import ast
import inspect
import io
import re
import sys
import tokenize
from dataclasses import fields
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from physlm.schema import Schema

_REFERENCE = re.compile(r"see `(\w+)` for its fields")
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def descriptions(schema: type[Schema]) -> dict[str, str]:
    """The description of each field, inherited ones included.

    That is the comment at the end of its lines, or above them; else its entry in the docstring of
    the class, or of the class that the docstring refers to; else the first sentence of its enum or
    nested schema.

    Returns:
        Descriptions by name, in the order of the fields; empty where there is none.
    """
    found: dict[str, str] = {}
    for kind in reversed(schema.__mro__):
        if issubclass(kind, Schema):
            found |= {name: text for name, text in _documented(kind).items() if text}
    hints = get_type_hints(schema)
    return {
        field.name: found.get(field.name) or _of_type(hints[field.name]) for field in fields(schema)
    }


def first_sentence(documented: type) -> str:
    """The first sentence of a docstring, on one line."""
    text = " ".join(inspect.cleandoc(documented.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", text)[0].rstrip(".")


def _documented(kind: type[Schema]) -> dict[str, str]:
    """The comments and entries of the docstring on the fields that a class itself declares."""
    path = inspect.getsourcefile(kind)
    if path is None:
        return {}
    source, entries = _source(path), _entries(kind)
    return entries | {
        node.target.id: _comment(node, source.comments, source.alone)
        or entries.get(node.target.id, "")
        for node in source.classes[kind.__name__].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _entries(kind: type) -> dict[str, str]:
    """The entries of a docstring, after those of the class that it refers to for them."""
    text = inspect.getdoc(kind) or ""
    found = {name: " ".join(words.split()) for name, words in _ENTRY.findall(text)}
    if referred := _REFERENCE.search(text):
        return _entries(getattr(sys.modules[kind.__module__], referred[1])) | found
    return found


def _comment(node: ast.AnnAssign, comments: dict[int, str], alone: set[int]) -> str:
    """The comments on the lines of a field, after those on lines of their own above it."""
    first = node.lineno
    while first - 1 in alone:
        first -= 1
    lines = range(first, (node.end_lineno or node.lineno) + 1)
    return " ".join(comments[line] for line in lines if line in comments)


class _Source(NamedTuple):
    """A file: its classes by name, its comments by line, the lines that hold nothing else."""

    classes: dict[str, ast.ClassDef]
    comments: dict[int, str]
    alone: set[int]


@cache
def _source(path: str) -> _Source:
    text = Path(path).read_text(encoding="utf-8")
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [token for token in tokens if token.type == tokenize.COMMENT]
    alone = {token.start[0] for token in found if token.line.lstrip().startswith("#")}
    comments = {token.start[0]: token.string.lstrip("# ") for token in found}
    return _Source(classes, {i: own.partition("noqa:")[0] for i, own in comments.items()}, alone)


def _of_type(hint: Any) -> str:
    """The first sentence of an enum or a nested schema, also of an optional one."""
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, Enum | Schema):
            return first_sentence(kind)
    return ""
