"""Hydra's application: flags in any position, our version, and help that explains the keys."""

import string
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import NoReturn

import hydra._internal.hydra as hydra_internals
from hydra import version
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig

from physlm.config.comments import commented
from physlm.config.files import config_dir
from physlm.config.words import as_meant
from physlm.errors import InputError
from physlm.revision import version_line
from physlm.suggestions import did_you_mean

_SET_THE_MODE = ("hydra", "sweeps=")  # hydra.searchpath may add files that do
_LAUNCHED = ("+sweeps=", "launcher=slurm")  # run as a sweep, if only of one point
_INTERNAL = ("base", "data/target")  # groups for the files of conf/


class Application(Hydra):
    """Composes configurations and shows them; `physlm.points` adds the launch of sweeps."""

    def get_mode(self, config_name: str | None, overrides: list[str]) -> RunMode | None:
        """The mode that a file or an override sets, if any.

        Hydra composes everything to look for it, which takes as long as the run's own composition.
        Of our files only the grids of `sweeps/` set it; a user's folder may hold one that does.
        """
        folders = {part.provider for part in self.config_loader.get_search_path().get_path()}
        is_given = any(word.lstrip("+~").startswith(_SET_THE_MODE) for word in overrides)
        if not is_given and "command-line" not in folders:
            return None
        found: RunMode | None = super().get_mode(config_name, overrides)
        return found

    def get_help(
        self, help_cfg: DictConfig, cfg: DictConfig, args_parser: ArgumentParser, resolve: bool
    ) -> str:
        """The help of conf/config.yaml: groups, and keys with their comments."""
        if "hydra" in cfg:  # --hydra-help
            return super().get_help(help_cfg, cfg, args_parser, resolve)
        return string.Template(help_cfg.template).safe_substitute(
            APP_CONFIG_GROUPS=self.format_config_groups(_is_ours), CONFIG=commented(cfg)
        )

    def show_cfg(
        self,
        config_name: str | None,
        overrides: list[str],
        cfg_type: str,
        package: str | None,
        resolve: bool = False,
    ) -> None:
        """Print a composed configuration; of a sweep, the first point and what the others change.

        Args:
            config_name: The primary configuration.
            overrides: Of the command line.
            cfg_type: Hydra's part, the job's, or both.
            package: The only section to print.
            resolve: Whether to resolve interpolations.
        """
        points = self._points(config_name, overrides)
        if points is not None:
            print(f"# Point 1 of {len(points)}. Keys that differ between points:")
            for words in _changing(points):
                print(f"#   {words}")
            overrides = [*points[0], "hydra.mode=RUN"]
        super().show_cfg(config_name, overrides, cfg_type, package, resolve)

    def _points(self, config_name: str | None, overrides: list[str]) -> list[list[str]] | None:
        """The overrides of every point of a sweep; None where there is a single run."""
        config = self.compose_config(config_name, overrides, RunMode.MULTIRUN)
        words = as_meant(overrides)
        given = OverridesParser.create().parse_overrides(words)
        if config.hydra.mode is not RunMode.MULTIRUN and not any(
            word.is_sweep_override() for word in given
        ):
            return None
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
        parsed = OverridesParser.create(self.config_loader).parse_overrides([*params, *words])
        (points,) = BasicSweeper.split_arguments(parsed, None)
        return points


def _is_ours(group: str) -> bool:
    """Whether a group is one that users choose options of."""
    return group not in _INTERNAL and not group.startswith("hydra")


def run_application(
    words: Sequence[str],
    task: TaskFunction,
    config_name: str,
    kind: type[Application] = Application,
) -> None:
    """Compose a command line, and call a function with each configuration.

    Args:
        words: Overrides and flags.
        task: The function.
        config_name: File in `conf/` that all configurations begin with.
        kind: The application's class.

    Raises:
        InputError: If a flag is unknown.
    """
    if "--version" in words:
        print(version_line())
        sys.exit(0)
    parser = get_args_parser()
    given = parsed_flags(parser, words)
    hydra_internals.Hydra = kind  # type: ignore[misc]
    version.setbase("1.3")
    _run_hydra(
        args=given,
        args_parser=parser,
        task_function=task,
        config_path=str(config_dir()),
        config_name=config_name,
    )


def parsed_flags(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """The flags of a command line and its overrides, in whatever order.

    Raises:
        InputError: If a flag is unknown, or lacks its value.
    """

    def refuse(message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()[0]
        if unknown.startswith("-"):
            known = did_you_mean(unknown, parser._option_string_actions)
            raise InputError(f"unknown flag {unknown}{known or '; --help lists the options'}")
        raise InputError(f"{message}; --help lists the options")

    parser.error = refuse  # type: ignore[method-assign]
    given = parser.parse_intermixed_args(words)
    if given.experimental_rerun:
        raise InputError(
            f"--experimental-rerun {given.experimental_rerun}: no job files are kept; the same "
            "command resumes a run"
        )
    if given.cfg and given.multirun:
        raise InputError("--cfg with --multirun; leave out --multirun, which --cfg does not need")
    is_launched = not (given.help or given.hydra_help or given.cfg or given.info or given.run)
    if is_launched and any(word.startswith(_LAUNCHED) for word in given.overrides):
        given.multirun = True
    return given


def _changing(points: list[list[str]]) -> list[str]:
    """The overrides that differ between points, as on the command line."""
    every = [list(dict.fromkeys(words)) for words in zip(*points, strict=True)]
    return [
        f"{words[0].partition('=')[0]}={','.join(word.partition('=')[2] for word in words)}"
        for words in every
        if len(words) > 1
    ]
