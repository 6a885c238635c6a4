"""Hydra config sources in addition to conf/: registered schemas, and the grids of sweeps/.

A schema that a script or notebook registers is an option of its group, too: `data=coins` needs no
YAML file. A file of that name takes precedence, and sets its own values.
"""

from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import Container, OmegaConf

from physlm.config.files import config_dir
from physlm.registry import FOLDERS, names, register, schema_of, schemas_of_scripts

_SCHEMAS, _SWEEPS = "schema", "sweeps"
_PLACES = {"mixer": "model/mixer", "penalty": "model/penalty"}  # of groups that are parts of others


@cache
def use_sources() -> None:
    """Make schemas and grids known to Hydra in this process; each is loaded when composed."""
    for plugin in (RegisteredSource, RegisteredPath):
        Plugins.instance().register(plugin)


class RegisteredSource(ConfigSource):
    """Schemas at ``schema/GROUP/NAME``, as classes, and grids at ``sweeps/NAME``.

    The schemas of a script are at ``GROUP/NAME``, too. Hydra's own store would load all of them,
    and is copied for every composition.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Include the schemas of a user's script, which the processes of a sweep do not run."""
        return {**self.__dict__, "of_scripts": schemas_of_scripts()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for (group, name), schema in state.pop("of_scripts").items():
            register(group, name)(schema)
        self.__dict__.update(state)

    @staticmethod
    def scheme() -> str:
        """The scheme of this source in search paths."""
        return "physlm"

    def available(self) -> bool:
        """Always."""
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        """The typed node of a schema, or the values of a grid in the global package."""
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        node: Container
        package: str | None
        if group == _SWEEPS:
            package, node = "_global_", OmegaConf.load(sweep_file(name))
        else:
            kind = group.rpartition("/")[2]
            package = f"eval.{name}" if group == "eval" else None  # a run has several scorers
            node = OmegaConf.structured(schema_of(kind, name))
        return ConfigResult(
            provider=self.provider, path=self.full_path(), config=node, header={"package": package}
        )

    def is_group(self, config_path: str) -> bool:
        """Whether there are options below the path."""
        return bool(_options(config_path.strip("/")))

    def is_config(self, config_path: str) -> bool:
        """Whether the path is an option."""
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        return bool(group) and name in _options(group) and not self.is_group(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options below a path."""
        found: list[str] = []
        for name in _options(config_path):
            self._list_add_result(found, f"{config_path}/{name}".strip("/"), name, results_filter)
        return found


class RegisteredPath(SearchPathPlugin):
    """Appends the source to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra before anything is composed."""
        search_path.append("physlm", f"{RegisteredSource.scheme()}://")


def sweep_file(name: str) -> Path:
    """The file of a grid in `sweeps/`, beside `conf/`."""
    return config_dir().parent / "sweeps" / f"{name}.yaml"


def _options(group: str) -> list[str]:
    """The options of a group; empty if there is no such group."""
    if not group:  # the root in --help, which lists no schemas: YAML files choose them
        return [_SWEEPS]
    if group == _SWEEPS:
        return sorted(path.stem for path in sweep_file("").parent.glob("*.yaml"))
    if group == _SCHEMAS:
        return list(FOLDERS)
    section, _, kind = group.partition("/")
    if section == _SCHEMAS and kind in FOLDERS:
        return names(kind)
    return [name for kind, name in schemas_of_scripts() if _PLACES.get(kind, kind) == group]
