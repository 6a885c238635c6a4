"""Composition of a run's configuration from command-line overrides."""

import os
from functools import cache
from typing import TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from physlm.config.files import config_dir, groups_of, use_scales
from physlm.config.lineage import with_parent
from physlm.config.refusals import unknown_added_key
from physlm.config.registered import use_sources
from physlm.config.schema import RunConfig
from physlm.errors import InputError, refused_values
from physlm.registry import schemas_of_scripts

T = TypeVar("T")


@cache
def register() -> None:
    """Make schemas, sweeps and scales known to Hydra in this process."""
    os.environ.setdefault(
        "HYDRA_FULL_ERROR", "1"
    )  # so that errors reach us instead of Hydra's own report
    use_scales()
    use_sources()
    ConfigStore.instance().store(name="run_schema", node=RunConfig)


def composed(words: tuple[str, ...]) -> RunConfig:
    """The configuration that command-line overrides give, with its parent run.

    Raises:
        InputError: If a key is unknown, a value breaks a rule of its field, or ``init_from`` names
            no run.
    """
    return run_config(_composed(words))


def run_config(composed: DictConfig) -> RunConfig:
    """The typed configuration of what Hydra composed, with its parent run.

    Raises:
        InputError: As `composed` does.
    """
    config = typed(composed, RunConfig)
    if config.parent is not None:
        raise InputError("unknown key parent; name the parent run by init_from")
    return with_parent(config, lambda words: typed(_composed(words), RunConfig))


def typed(composed: DictConfig, kind: type[T]) -> T:
    """The typed configuration; the code that gets it does not know Hydra.

    Raises:
        InputError: If a key is unknown, or a value breaks a rule of its field.
    """
    try:
        with refused_values():
            config = OmegaConf.to_object(composed)
    except AttributeError as error:  # `+key=value` added a key that the slots do not have
        raise unknown_added_key(composed, error, _groups) from error
    assert isinstance(config, kind)
    return config


def _composed(words: tuple[str, ...]) -> DictConfig:
    """Compose with the schemas registered now, since a notebook may redefine one."""
    return _composed_once(words, frozenset(schemas_of_scripts().items()))


@cache
def _composed_once(words: tuple[str, ...], of_scripts: frozenset[object]) -> DictConfig:  # noqa: ARG001
    """Cached per process; typed on each use, since the files that it names may change."""
    register()
    if GlobalHydra.instance().is_initialized():  # within a Hydra application
        return compose("config", overrides=list(words))
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=list(words))


def _groups() -> list[str]:
    """The groups of the application, or of `conf/` where there is none."""
    if GlobalHydra.instance().is_initialized():
        return groups_of(GlobalHydra.instance().config_loader())
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return groups_of(GlobalHydra.instance().config_loader())
