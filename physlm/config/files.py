"""YAML files of the configuration: their location, and their content at a scale."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hydra._internal.hydra as hydra_internals
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from physlm.config.aliases import require_bounded
from physlm.config.refusals import refusal
from physlm.config.scale import Scale, chosen_scale, scale_named
from physlm.config.words import as_meant
from physlm.errors import InputError

_AT_SCALE, _OPTIONS = "at_scale", "options"


class OwnSections:
    """Whether a file with a section of the scale was read.

    Hydra reads from a copy of its repository; this is shared by all copies.
    """

    def __init__(self) -> None:
        self.were_read = False

    def __deepcopy__(self, _: dict[int, Any]) -> "OwnSections":
        return self


class ScaledFiles(FileConfigSource):
    """A folder of YAML files, read by Hydra, with two additional keys at the top of a file.

    ``at_scale`` has sections named by one or several scales, as ``gpu,paper``. The sections of the
    composed scale are merged in order over the rest of the file, for a workstation after those of a
    laptop; a defaults list in a section replaces the previous one. ``options`` makes ``GROUP.yaml``
    a whole group: the content below each name is that of ``GROUP/NAME.yaml``.
    """

    def __init__(self, provider: str, path: str, scale: Scale, own: OwnSections) -> None:
        super().__init__(provider, path)
        self.scale, self.own = scale, own

    def load_config(self, config_path: str) -> ConfigResult:
        """The content of a file, or of an option in the file of its group, at the scale."""
        group, name = _split(config_path)
        options = self._options(group)
        path = self._file(group if name in options else config_path)
        header, content = _read(path)
        chosen = options.get(name, content)
        values = _at_scale(chosen, self.scale, path)
        if isinstance(chosen, dict) and _sections(chosen, self.scale, path):
            self.own.were_read = True
        return ConfigResult(self.provider, self.full_path(), values, dict(header))

    def is_group(self, config_path: str) -> bool:
        """Whether the path is a folder, or a file with options."""
        return super().is_group(config_path) or bool(self._options(config_path))

    def is_config(self, config_path: str) -> bool:
        """Whether the path is an option, or a file without options."""
        group, name = _split(config_path)
        if name in self._options(group):
            return True
        return super().is_config(config_path) and not self._options(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The names in a group: of options, of groups, or of both."""
        folder = Path(self.path) / config_path
        names = {*self._options(config_path)}
        if folder.is_dir():
            names |= {path.name.removesuffix(".yaml") for path in folder.iterdir()}
        prefix = f"{config_path}/" if config_path else ""
        names.discard("__pycache__")
        return sorted(name for name in names if self._is_listed(prefix + name, results_filter))

    def _is_listed(self, config_path: str, results_filter: ObjectType | None) -> bool:
        is_config = results_filter is not ObjectType.GROUP and self.is_config(config_path)
        return is_config or (results_filter is not ObjectType.CONFIG and self.is_group(config_path))

    def _options(self, group: str) -> Mapping[str, Any]:
        """The options in the file of a group, by name; empty if there is none."""
        path = self._file(group)
        if not path.is_file() or not _may_have_options(path):
            return {}
        content = _read(path)[1]
        return content.get(_OPTIONS, {}) if isinstance(content, dict) else {}

    def _file(self, config_path: str) -> Path:
        return Path(self.path) / f"{config_path.removesuffix('.yaml')}.yaml"


class ScaledRepository(ConfigRepository):
    """Hydra's configuration files at one scale, including the user's folders."""

    def __init__(self, config_search_path: ConfigSearchPath, scale: Scale) -> None:
        self.scale, self.own = scale, OwnSections()
        super().__init__(config_search_path)

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Called again by Hydra when a command line adds folders to the search path."""
        super().initialize_sources(config_search_path)
        # Compared by scheme: Hydra loads the class a second time as a plugin, so isinstance fails.
        sources = [
            ScaledFiles(source.provider, source.path, self.scale, self.own)
            if source.scheme() == ScaledFiles.scheme()
            else source
            for source in self.sources
        ]
        self.sources = sorted(sources, key=_rank)


def _rank(source: ConfigSource) -> int:
    """The place of a source: a file comes before the schema of its name, Hydra's schemas last."""
    return {"physlm": 1, "structured": 2}.get(source.scheme(), 0)


class ScaledConfigLoader(ConfigLoaderImpl):
    """Reads files at the scale that the overrides choose.

    A command line, a point of a sweep, the overrides of ``init_from`` and Hydra's ``compose`` all
    use this loader, so that a scale means the same in each of them.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = ScaledRepository(config_search_path, Scale.laptop)

    def load_configuration(
        self, config_name: str | None, overrides: list[str], *args: Any, **options: Any
    ) -> DictConfig:
        """Compose, as Hydra does, at the scale that the overrides choose.

        Raises:
            InputError: If they cannot be composed.
        """
        scale = chosen_scale(overrides)
        self.repository = ScaledRepository(self.config_search_path, scale)
        words = as_meant(overrides)
        try:
            found = super().load_configuration(config_name, words, *args, **options)
        except InputError:
            raise
        except ValueError as error:  # of Python, about a number of thousands of digits
            longest = max(words, key=len)
            raise InputError(
                f"{longest[:60]}...: {len(longest)} characters cannot be read; shorten this value"
            ) from error
        except (HydraException, OmegaConfBaseException, AssertionError) as error:
            _raise_requests(error)
            raise refusal(error, words, lambda: groups_of(self)) from error
        if scale is Scale.workstation and not self.repository.own.were_read:
            _require_other_sizes(found)
        if found.get("scale", scale) != scale:
            raise InputError(
                f"a file sets scale={found.scale.value}, which only the command line can set; give "
                f"scale={found.scale.value} there"
            )
        return found

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """The options of a group, as Hydra lists them.

        Hydra copies its whole store for each group, which takes seconds for `--help`. Without
        overrides no copy is needed.

        Args:
            group_name: The group.
            results_filter: Options, groups, or both.
            config_name: The primary configuration.
            overrides: They may add folders to the search path.
        """
        if overrides:
            return super().get_group_options(group_name, results_filter, config_name, overrides)
        return self.repository.get_group_options(group_name, results_filter)


def _require_other_sizes(found: DictConfig) -> None:
    """Require that the sizes of a run are those of its parent, which is composed at the same scale.

    Raises:
        InputError: If it has none.
    """
    if found.get("stage", "train") == "train" and not found.get("init_from"):
        raise InputError(
            "scale=workstation: this configuration has no sizes of its own for a workstation; use "
            "scale=laptop, gpu or paper"
        )


def groups_of(loader: ConfigLoader) -> list[str]:
    """The groups at the top of all folders, and those within ``data`` and ``model``."""
    within = [
        f"{parent}/{name}" for parent in ("data", "model") for name in loader.list_groups(parent)
    ]
    return [*loader.list_groups(""), *within]


def use_scales() -> None:
    """Let Hydra read files by scale; its search path is fixed before it knows the overrides."""
    hydra_internals.ConfigLoaderImpl = ScaledConfigLoader  # type: ignore[attr-defined]


def config_dir() -> Path:
    """The folder of YAML files: inside the package, or beside it in a checkout.

    Raises:
        InputError: If neither exists.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise InputError(f"no configuration found in {package} or beside it; install physlm again")


def option_names(group: str) -> frozenset[str]:
    """The options in the file of a group, such as ``architecture``."""
    content = _read(config_dir() / f"{group}.yaml")[1]
    return frozenset(content[_OPTIONS])


def _raise_requests(error: BaseException) -> None:
    """Raise a request to stop, in whatever Hydra and OmegaConf have wrapped it."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, KeyboardInterrupt | SystemExit):
            raise found from None
        found = found.__cause__ or found.__context__


def _split(config_path: str) -> tuple[str, str]:
    """The group of a configuration, and its name in the group."""
    group, _, name = config_path.removesuffix(".yaml").rpartition("/")
    return group, name


@cache
def _may_have_options(path: Path) -> bool:
    """Most files have none, and help asks all of them; to parse one takes milliseconds."""
    return _OPTIONS.encode() in path.read_bytes()


@cache
def _read(path: Path) -> tuple[Mapping[str, str | None], Any]:
    """Header and plain content of a file, read once a process."""
    require_bounded(path)
    found = FileConfigSource("", str(path.parent)).load_config(path.name)
    return found.header, OmegaConf.to_container(found.config)


def _at_scale(content: Any, scale: Scale, path: Path) -> Container:
    """The content of a file, or of an option in it, at a scale.

    Raises:
        InputError: If a section names an unknown scale.
    """
    if not isinstance(content, dict):
        return OmegaConf.create(content or {})
    values: Container = OmegaConf.create(
        {key: part for key, part in content.items() if key != _AT_SCALE}
    )
    for applied in scale.with_base:
        for section in _sections(content, applied, path):
            values = OmegaConf.merge(values, section)
    return values


def _sections(content: dict[str, Any], scale: Scale, path: Path) -> list[Any]:
    """The sections of a scale, in their order.

    Raises:
        InputError: If a section names an unknown scale.
    """
    return [
        section
        for names, section in content.get(_AT_SCALE, {}).items()
        if scale in [scale_named(name, f"{path}: at_scale.") for name in names.split(",")]
    ]
