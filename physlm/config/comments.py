"""Configurations as YAML, each key with its comment from the schema."""

import re
from enum import Enum
from typing import Any, get_args, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf

from physlm.config.descriptions import descriptions
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
    hints, found = get_type_hints(kind), descriptions(kind)
    return {
        name: "; ".join(filter(None, (_on_the_command_line(text), _options(hints[name]))))
        for name, text in found.items()
    }


def _on_the_command_line(text: str) -> str:
    """A description in the words of the command line, without a full stop."""
    return re.sub(r"\bNone\b", "null", text.strip(" .#"))


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
