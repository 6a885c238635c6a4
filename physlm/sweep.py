"""The points of a sweep, as configurations."""

import itertools
import shlex
from collections.abc import Iterator, Sequence
from functools import cache

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from physlm.config import RunConfig, composed
from physlm.config.registered import sweep_file
from physlm.config.words import as_meant
from physlm.errors import InputError
from physlm.messages import one_line


@cache
def configurations(words: tuple[str, ...], scale: str) -> tuple[RunConfig, ...]:
    """The configuration of every point of a command, regardless of seeds.

    Args:
        words: Overrides such as ``+experiment=capacity_100x`` and ``model.d_model=32,48``.
        scale: Scale of the runs.

    Raises:
        InputError: If an override is unknown.
    """
    found: list[RunConfig] = []
    try:
        for point in points_of(words, with_seeds=False):
            found += composed((*point, f"scale={scale}")).points
    except HydraException as error:
        raise InputError(f"{shlex.join(words)}: {one_line(error)}") from error
    return tuple(found)


def points_of(words: Sequence[str], *, with_seeds: bool = True) -> Iterator[tuple[str, ...]]:
    """The overrides of each point of a command, with one value each, as in Hydra's basic sweeper.

    Args:
        words: Overrides, preceded here by those of the sweeps that they name.
        with_seeds: Whether to keep the words that choose seeds.
    """
    sweeps = [word.removeprefix("+sweeps=") for word in words if word.startswith("+sweeps=")]
    every = [*itertools.chain.from_iterable(map(_swept, sweeps)), *words]
    if not with_seeds:
        every = [word for word in every if not word.startswith(("seed=", "seeds="))]
    choices: dict[str, list[str]] = {}  # the last word of a key counts
    for override in OverridesParser.create().parse_overrides(as_meant(every)):
        values = (
            override.sweep_string_iterator()
            if override.is_sweep_override()
            else [override.get_value_element_as_str()]
        )
        key = override.get_key_element()
        choices[key] = [f"{key}={value}" for value in values]
    return itertools.product(*choices.values())


def _swept(name: str) -> list[str]:
    path = sweep_file(name)
    if not path.is_file():
        raise InputError(f"+sweeps={name}: {path} does not exist")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [f"{key}={value}" for key, value in content["hydra"]["sweeper"]["params"].items()]
