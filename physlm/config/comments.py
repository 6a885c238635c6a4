"""Configurations as YAML with what each key means, from the comments of the schemas."""

import ast
import inspect
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from pathlib import Path
from tokenize import COMMENT, TokenInfo, generate_tokens
from typing import Any, get_args, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf

from physlm.schema import Schema

_COMMENT_COLUMN = 40


def commented(config: DictConfig, *, indent: str = "") -> str:
    """YAML of a composed configuration, each key with its comment and its options."""
    kind = OmegaConf.get_type(config)
    comments = comments_of(kind) if isinstance(kind, type) and issubclass(kind, Schema) else {}
    lines: list[str] = []
    for key in map(str, config):
        node = config._get_node(key)
        comment = comments.get(key, "")
        if isinstance(node, DictConfig) and not node._is_none() and len(node):
            lines += _line(f"{indent}{key}:", comment)
            lines.append(commented(node, indent=f"{indent}  "))
        else:
            lines += _line(f"{indent}{key}: {_inline(config, key)}", comment)
    return "\n".join(lines)


def comments_of(kind: type[Schema]) -> dict[str, str]:
    """What the fields of a schema mean, with their units and options, by name."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Schema):
            found |= dict(_comments_in(base))
    options = {field.name: _options(get_type_hints(kind)[field.name]) for field in fields(kind)}
    return {
        name: "; ".join(filter(None, (found.get(name, ""), own))) for name, own in options.items()
    }


def _comments_in(base: type) -> Iterator[tuple[str, str]]:
    """Comments behind the fields of one class, or on the lines above them."""
    path = inspect.getsourcefile(base)
    if path is None:
        return
    comments, tree = _source(path)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == base.__name__:
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, _comment(comments, field)


@cache
def _source(path: str) -> tuple[dict[int, TokenInfo], ast.Module]:
    """The comments of a file by line, and its syntax."""
    text = Path(path).read_text(encoding="utf-8")
    tokens = generate_tokens(io.StringIO(text).readline)
    return {one.start[0]: one for one in tokens if one.type == COMMENT}, ast.parse(text)


def _comment(comments: Mapping[int, TokenInfo], field: ast.AnnAssign) -> str:
    """The comment behind a field, or else on the lines above it."""
    last = field.end_lineno or field.lineno
    found = [comments[line] for line in range(field.lineno, last + 1) if line in comments]
    if not found:
        line = field.lineno - 1
        while line in comments and comments[line].line.lstrip().startswith("#"):
            found.insert(0, comments[line])
            line -= 1
    text = " ".join(one.string.lstrip("# ").partition("noqa:")[0] for one in found)
    return re.sub(r"\bNone\b", "null", text.strip(" .#"))  # as on the command line


def _options(hint: Any) -> str:
    """The values of an enum, as ``one of a, b``."""
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return f"one of {', '.join(str(member.value) for member in kind)}"
    return ""


def _inline(config: DictConfig, key: str) -> str:
    if OmegaConf.is_missing(config, key):
        return "???"
    value = config[key]
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value)
    if isinstance(value, Enum):
        value = value.value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.strip().removesuffix("...").strip()


def _line(text: str, comment: str) -> list[str]:
    return [f"{text:<{_COMMENT_COLUMN - 1}} # {comment}" if comment else text]
