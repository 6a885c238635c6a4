"""The YAML files of a configuration: where they are, and which of them count at a scale."""

import copy
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import hydra._internal.hydra as hydra_internals
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig

from physlm.errors import InputError


class Scale(str, Enum):
    """How large: two CPU cores and minutes, one GPU and an hour, or as published."""

    laptop = "laptop"
    gpu = "gpu"
    paper = "paper"


class ScaledConfigLoader(ConfigLoaderImpl):
    """Reads a file of the chosen scale where there is one: `conf/at_scale/gpu` before `conf`.

    The scale is read from the very words that are composed. A command line, a point of a sweep, the
    words of ``init_from`` and Hydra's ``compose`` all come through here, so that it means the same
    in each of them.
    """

    def load_configuration(self, config_name: str | None, overrides: list[str], *args: Any,
                           **options: Any) -> DictConfig:  # fmt: skip
        """Compose, as Hydra does, with the scale's files first."""
        folder = config_dir() / "at_scale" / chosen_scale(overrides).value
        loader = ConfigLoaderImpl(_with_first(folder, self.config_search_path))
        return loader.load_configuration(config_name, overrides, *args, **options)

    def get_group_options(
        self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None, overrides: list[str] | None = None,
    ) -> list[str]:  # fmt: skip
        """As Hydra does, but without a copy of all that is stored for each group of `--help`."""
        if overrides:
            return super().get_group_options(group_name, results_filter, config_name, overrides)
        return self.repository.get_group_options(group_name, results_filter)


def chosen_scale(words: Sequence[str]) -> Scale:
    """The scale that words choose; of several to sweep over, the first.

    Raises:
        InputError: If there is no such scale.
    """
    named = [w.partition("=")[2] for w in words if w.lstrip("+").startswith("scale=")]
    chosen = [name.strip("'\"") for name in (named[-1] if named else "laptop").split(",")]
    known = [scale.value for scale in Scale]
    if unknown := [name for name in chosen if name not in known]:
        raise InputError(f"scale={unknown[0]}; one of {', '.join(known)}")
    return Scale(chosen[0])


def use_scales() -> None:
    """Have Hydra read files by scale; its search path is otherwise fixed before words are known."""
    hydra_internals.ConfigLoaderImpl = ScaledConfigLoader  # type: ignore[attr-defined]


def config_dir() -> Path:
    """The folder of YAML files: packaged beside the code, or the checkout's sibling.

    Raises:
        InputError: If neither is there.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise InputError(f"no configuration found in {package} or beside it; install physlm again")


def _with_first(folder: Path, search_path: ConfigSearchPath) -> ConfigSearchPath:
    if not folder.is_dir():
        return search_path
    own = copy.deepcopy(search_path)
    own.prepend("scale", f"file://{folder}")
    return own
