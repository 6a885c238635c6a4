"""An experiment folder: its runs, given by overrides and seeds, and the claims that they decide."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from physlm.config import RunConfig, config_dir
from physlm.config.scale import scale_named
from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.predicted import read_predictions
from physlm.sweep import configurations

EXPERIMENT = "experiment.yaml"

# The loader in C is eight times as fast; loading dominates the time to read all experiments.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

# Keys that fields of the experiment or flags set, hence not allowed in the overrides of an arm.
SET_BY_FLAGS = {
    "seed=": "--seeds",
    "seeds=": "--seeds",
    "scale=": "--scale",
    "runs_dir=": "--runs-dir",
}


class Source(NamedTuple):
    """The paper, and the result in it."""

    paper: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The runs of an experiment, and the claims about them.

    Attributes:
        name: Name of its folder.
        title: The question, or what is varied.
        source: Paper and result.
        seeds: Seeds of every run.
        scale: Scale of every run, at which the claims are decided.
        runs: Overrides of each arm, such as ``+sweeps=extraction``, by the name of the arm.
        claims: Claims about all arms, or about those that they name.
    """

    name: str
    title: str
    source: Source
    seeds: tuple[int, ...]
    scale: str
    runs: Mapping[str, tuple[str, ...]]
    claims: tuple[Claim, ...]

    def points(
        self,
        *,
        seeds: Sequence[int] | None = None,
        arms: Sequence[str] | None = None,
        scale: str | None = None,
        words: Sequence[str] = (),
    ) -> dict[str, RunConfig]:
        """Every run, or those of some arms, by run id, seed by seed.

        Args:
            seeds: Seeds of the runs; None for the experiment's.
            arms: Names of the arms; None for all.
            scale: Scale of the runs; None for the experiment's.
            words: Overrides that follow those of each arm.

        Raises:
            InputError: If the overrides do not compose.
        """
        configs = [
            config
            for arm in (self.runs if arms is None else arms)
            for config in configurations((*self.runs[arm], *words), scale or self.scale)
        ]
        points = [
            replace(config, seed=seed)
            for seed in (self.seeds if seeds is None else seeds)
            for config in configs
        ]
        return {point.run_id: point for point in points}


def experiments_folder() -> Path:
    """The folder of the experiments in a checkout; an installed package has none."""
    return config_dir().parent / "experiments"


def experiment_folders() -> list[Path]:
    """The folder of each experiment in the checkout, by name."""
    return sorted(path.parent for path in experiments_folder().glob(f"*/{EXPERIMENT}"))


def read_experiment(folder: Path) -> Experiment:
    """Read the experiment of a folder.

    Raises:
        InputError: If its file is missing, or a field is unknown, missing or breaks its rule.
    """
    path = folder / EXPERIMENT
    with _errors_of(path):
        if not path.is_file():
            raise ValueError("does not exist; see CONTRIBUTING.md, An experiment")
        try:
            text = path.read_text(encoding="utf-8")
            content = yaml.load(text, _LOADER)  # noqa: S506 - both loaders are safe
        except yaml.YAMLError as error:
            raise ValueError(" ".join(str(error).split())) from error
        own = _fields_of(content, Experiment, but={"name"})
        name = folder.resolve().name
        runs = _runs(own["runs"], name)
        scale = scale_named(_text("scale", own["scale"]), "scale=").value
        predictions = read_predictions(folder)
        return Experiment(
            name=name,
            title=_text("title", own["title"]),
            runs=runs,
            source=_source(own["source"]),
            seeds=_seeds(own["seeds"]),
            scale=scale,
            claims=tuple(
                replace(claim, predictions=predictions) if claim.prediction else claim
                for claim in _claims(own["claims"], name, runs, scale)
            ),
        )


@contextmanager
def _errors_of(what: object) -> Iterator[None]:
    """A context whose errors begin with the file or claim that they are about."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{what}: {error}") from error


def _fields_of(content: object, kind: type[Any], *, but: set[str]) -> Mapping[str, Any]:
    """A mapping, checked to have all required fields and no unknown ones."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{content!r} is not a mapping of fields to values")  # noqa: TRY004
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind) if f.name not in but}
    if unknown := [name for name in content if name not in known]:
        raise ValueError(f"unknown field {unknown[0]}; one of {', '.join(known)}")
    needed = [name for name, field in known.items() if field.default is MISSING]
    if missing := [name for name in needed if name not in content]:
        raise ValueError(f"field {missing[0]} is missing")
    return content


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}={value}; must be text")
    return value


def _source(value: object) -> Source:
    if not isinstance(value, Mapping) or set(value) != set(Source._fields):
        raise ValueError(f"source={value}; needs paper and result")
    return Source(**{name: _text(f"source.{name}", text) for name, text in value.items()})


def _seeds(value: object) -> tuple[int, ...]:
    """Seeds as a list, or as their number, counted from 0."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = list(range(value))
    is_list = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
    if not isinstance(value, list) or not value or not is_list or len(set(value)) < len(value):
        raise ValueError(f"seeds={value}; must be distinct integers of at least 0, or their number")
    return tuple(value)


def _runs(value: object, name: str) -> dict[str, tuple[str, ...]]:
    """Overrides by arm; a single unnamed arm has the name of the experiment."""
    if isinstance(value, list):
        return {name: _words("runs", value)}
    if not isinstance(value, Mapping) or not value:
        raise ValueError(
            f"runs={value}; must be a list of overrides, or arms, each with its own list"
        )
    return {str(arm): _words(f"runs.{arm}", words) for arm, words in value.items()}


def _words(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
        raise ValueError(f"{name}={value}; must be a list of overrides such as [+experiment=NAME]")
    for word in value:
        if word.startswith((*SET_BY_FLAGS, "-")):
            raise ValueError(
                f"{name}: {word} is not allowed in an arm; the experiment's fields and flags set it"
            )
    return tuple(value)


def _claims(
    value: object, name: str, runs: Mapping[str, tuple[str, ...]], scale: str
) -> tuple[Claim, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("claims: must be a list of claims, each with its fields")
    claims = []
    for entry in value:
        if not isinstance(entry, Mapping):
            raise ValueError("claims: must be a list of claims, each with its fields")  # noqa: TRY004
        with _errors_of(f"claim {entry.get('id')}"):
            claims.append(_claim(entry, name, runs, scale))
    ids = [claim.id for claim in claims]
    if repeated := [i for i in ids if ids.count(i) > 1]:
        raise ValueError(f"claim {repeated[0]} occurs twice; give each claim its own id")
    return tuple(claims)


def _claim(
    entry: Mapping[str, Any], name: str, runs: Mapping[str, tuple[str, ...]], scale: str
) -> Claim:
    rule = {key: value for key, value in entry.items() if key != "runs"}
    own = _fields_of(rule, Claim, but={"scale", "command", "arms", "predictions"})
    if "by" in own and "compared_to" not in own:  # it would have no effect
        raise ValueError(
            f"by={own['by']} needs compared_to; use minus or relative_to for two metrics of a run"
        )
    arms = _arms(entry.get("runs", list(runs)), runs)
    command = ["python", "-m", "physlm.reproduce", name]
    if len(arms) < len(runs):
        command += ["--only", ",".join(arms)]
    return Claim(
        **own, scale=scale, command=shlex.join(command), arms=tuple(runs[arm] for arm in arms)
    )


def _arms(value: object, runs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names of the arms that a claim is about."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(arm in runs for arm in names):
        raise ValueError(f"runs={value}; must be some of {', '.join(runs)}")
    return names
