"""The configuration of a finished run, read from its record."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from physlm.config.schema import Parent, RunConfig
from physlm.errors import InputError, refused_values
from physlm.record import read_record
from physlm.registry import FOLDERS, names, schema_of
from physlm.run_directory import RunDirectory
from physlm.schema import Schema
from physlm.sources import take_copies


def holds_a_record(folder: str) -> bool:
    """Whether a text is the directory of a finished run, rather than overrides."""
    try:
        return bool(folder) and (Path(folder) / "record.json").is_file()
    except (OSError, ValueError):  # too long for a path, or with a null character
        return False


def recorded(run_dir: Path) -> RunConfig:
    """The configuration that the record in a run directory describes.

    Source files are replaced by their copies in the directory, and a parent by the run directory
    beside it, if these exist: the recorded paths are valid only where the command was given.

    Raises:
        InputError: If this version of physlm gives the configuration another run id.
    """
    record = read_record(run_dir / "record.json")
    try:
        config = _described(copy.deepcopy(record.config), run_dir.parent)
    except InputError:
        raise
    except (
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        OmegaConfBaseException,
    ) as error:
        raise InputError(
            f"run {record.run_id} is of another version of physlm ({error}); run it again"
        ) from error
    take_copies(config, RunDirectory(run_dir).sources)
    if config.run_id != record.run_id:
        raise InputError(f"run {record.run_id} is of another version of physlm; run it again")
    return config


def _described(values: dict[str, Any], runs_dir: Path) -> RunConfig:
    """The configuration of plain values, as written by `RunConfig.described`."""
    earlier = values.pop("ancestor", None)
    config = _typed(values)
    if earlier is None:
        return config
    parent = _described(earlier, runs_dir)
    beside = runs_dir / parent.run_id
    if not holds_a_record(str(beside)):
        return replace(config, parent=Parent(parent, beside))
    found = beside.resolve()
    return replace(config, init_from=str(found), parent=Parent(recorded(found), found))


def _typed(values: dict[str, Any]) -> RunConfig:
    """The typed configuration of plain values, without its parent."""
    kinds = values.pop("kinds")
    node = OmegaConf.structured(RunConfig)
    parts = {}
    for name in reversed(kinds):  # nested sections first
        section, _, key = name.partition(".")
        parts[name] = values[section].pop(key) if key else values.pop(section)
    for name, kind in kinds.items():
        part = parts[name]
        value = OmegaConf.merge(OmegaConf.structured(_schema(kind)), part)
        OmegaConf.update(node, name, value, merge=False)  # a part may be null by default
    merged = OmegaConf.merge(node, values)
    assert isinstance(merged, DictConfig)
    with refused_values():
        config = OmegaConf.to_object(merged)
    assert isinstance(config, RunConfig)
    return config


def _schema(tag: str) -> type[Schema]:
    """The schema of a tag.

    Raises:
        InputError: If nothing registers it.
    """
    group, _, name = tag.partition("/")
    if group not in FOLDERS or name not in names(group):
        raise InputError(
            f"the run was made with the schema {tag}, which is not registered here; use the script "
            "that registers it, or the version of physlm that has it"
        )
    return schema_of(group, name)
