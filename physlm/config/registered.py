"""What Hydra finds beside the files of conf/: registered schemas, and the grids of sweeps/."""

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


@cache
def use_sources() -> None:
    """Let Hydra find schemas and grids in this process, each loaded when it is composed."""
    for plugin in (RegisteredSource, RegisteredPath):
        Plugins.instance().register(plugin)


class RegisteredSource(ConfigSource):
    """Schemas at ``schema/GROUP/NAME``, as classes, and grids at ``sweeps/NAME``.

    Hydra's own store would hold all of them in memory, and be copied for every composition.
    """

    def __getstate__(self) -> dict[str, Any]:
        """With what a user's script registered, for processes of a sweep that never run it."""
        return {**self.__dict__, "of_scripts": schemas_of_scripts()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for (group, name), schema in state.pop("of_scripts").items():
            register(group, name)(schema)
        self.__dict__.update(state)

    @staticmethod
    def scheme() -> str:
        """What search paths call it."""
        return "physlm"

    def available(self) -> bool:
        """Always."""
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        """The typed node of a schema, or the values of a grid, which are of the whole command."""
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        node: Container
        if group == _SWEEPS:
            package, node = "_global_", OmegaConf.load(sweep_file(name))
        else:
            schema = schema_of(group.removeprefix(f"{_SCHEMAS}/"), name)
            package, node = None, OmegaConf.structured(schema)
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
    """Has Hydra look there last."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra before anything is composed."""
        search_path.append("physlm", f"{RegisteredSource.scheme()}://")


def sweep_file(name: str) -> Path:
    """Where a grid is: `sweeps/` lies beside `conf/`."""
    return config_dir().parent / "sweeps" / f"{name}.yaml"


def _options(group: str) -> list[str]:
    """What a group holds; nothing where there is none."""
    if not group:  # where --help begins, which leaves out schemas: it is files that choose them
        return [_SWEEPS]
    if group == _SWEEPS:
        return sorted(path.stem for path in sweep_file("").parent.glob("*.yaml"))
    if group == _SCHEMAS:
        return list(FOLDERS)
    section, _, kind = group.partition("/")
    return names(kind) if section == _SCHEMAS and kind in FOLDERS else []
