"""Aliases in YAML files, which OmegaConf copies: a file of a few lines may have no end."""

import re
from pathlib import Path

import yaml

from physlm.errors import InputError

_MOST = 100_000  # values of a file with its aliases, far more than any of ours
_ALIAS = re.compile(rb"[\s\[{,]\*\w")


def require_bounded(path: Path) -> None:
    """Require that a file holds a bounded number of values, aliases included.

    Raises:
        InputError: If it holds more.
        yaml.YAMLError: If it is no YAML.
    """
    content = path.read_bytes()
    if _ALIAS.search(content) and _n_values(content) > _MOST:
        raise InputError(
            f"{path} has more than {_MOST} values with its aliases (*NAME); write them out"
        )


def _n_values(content: bytes) -> int:
    """Number of values once every alias is replaced by what it names."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(content, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, n = open_nodes.pop()
        elif isinstance(event, yaml.AliasEvent):
            anchor, n = None, sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, n = event.anchor, 1
        else:
            continue
        if anchor is not None:
            sizes[anchor] = n
        outer, before = open_nodes[-1]
        open_nodes[-1] = outer, before + n
    return open_nodes[0][1]
