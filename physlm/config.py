"""The configuration of a run: its schema, where its files are, and the name it gives the run."""

import copy
import hashlib
import json
import math
import os
import shlex
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from physlm.config_files import Scale, config_dir, use_scales
from physlm.config_sources import use_sources
from physlm.data.bio.junk import JunkConfig
from physlm.data.corpus import DataConfig
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.errors import InputError, refused_values
from physlm.eval.public_figures import PublicFiguresScorerConfig
from physlm.eval.scorer import ScorerConfig
from physlm.identity import identity
from physlm.memory import require_memory
from physlm.models.architecture import ModelConfig, TransformerConfig
from physlm.models.checkpoint import CheckpointConfig
from physlm.models.inherited import InheritedConfig
from physlm.record import SCIENCE, RunDirectory, read_record
from physlm.registry import FOLDERS, schemas
from physlm.schema import Schema
from physlm.sources import take_copies
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

T = TypeVar("T")

_RUN_BYTES = 10_000  # that one configuration of many takes at least


@dataclass(kw_only=True, slots=True)
class RunConfig(Schema):
    """One run, whole."""

    seed: int = 0
    data: DataConfig = MISSING
    model: ModelConfig = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    eval: dict[str, ScorerConfig] = field(default_factory=dict)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    name: str = "run"  # the experiment, in tables and W&B
    seeds: int = 1  # as many runs, of this seed and those after it
    learning_rates: list[float] = field(default_factory=list)  # as many runs, one of each rate
    scale: Scale = Scale.laptop
    runs_dir: str = "runs"  # where run directories are made
    force: bool = False  # run again although the record exists
    rescore: bool = False  # measure a finished run again, without training
    profile: bool = False  # show where the time of training goes, and write a trace
    init_from: str = ""  # a run to start from: its directory, or words such as +experiment=NAME
    published: dict[str, float] = field(default_factory=dict)  # metric name: the paper's number
    published_of: str = ""  # what the paper measured it on

    def validate(self) -> None:
        """Every value in its range."""
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}; seeds are integers from 0 up")
        if _holds_a_record(self.init_from):  # another folder may be the present one by then
            self.init_from = str(Path(self.init_from).resolve())
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds}; must be at least 1")
        n_runs = self.seeds * max(1, len(self.learning_rates))
        require_memory({f"seeds={self.seeds} for each learning rate": _RUN_BYTES * n_runs})
        rates = self.learning_rates
        if not all(0 < rate < math.inf for rate in rates) or len(set(rates)) < len(rates):
            raise ValueError(f"learning_rates={rates}; each must be above 0, finite, and told once")
        if isinstance(self.model, CheckpointConfig):
            self._require_as_it_is()
        elif self.data.exposures == 0 and not self.init_from:
            raise ValueError(
                "data.exposures=0 trains nothing; name the run that is to be measured by init_from"
            )
        self._require_untrained_if_rounded()
        n_ranks = self.runtime.n_devices * self.runtime.n_nodes
        n_parts = n_ranks * self.trainer.n_accumulate
        if self.trainer.batch_size % n_parts:
            raise ValueError(
                f"trainer.batch_size={self.trainer.batch_size} is not divisible by {n_parts} "
                "(devices x nodes x trainer.n_accumulate); every device takes equal parts"
            )

    def _require_untrained_if_rounded(self) -> None:
        """Rounded weights are measured, not trained on."""
        bits = self.model.weight_bits if isinstance(self.model, InheritedConfig) else None
        if bits is not None and self.data.exposures:
            raise ValueError(
                f"model.weight_bits={bits} rounds the weights of a finished run; set "
                "data.exposures=0 and name that run by init_from"
            )

    def _require_as_it_is(self) -> None:
        """A checkpoint is not trained, and reads tokens of its own."""
        if self.data.exposures:
            raise ValueError("model=checkpoint is measured as it is; set data.exposures=0")
        if self.init_from:
            raise ValueError("model=checkpoint is a start of its own; leave init_from out")
        scorers = self.eval.values()
        if not isinstance(self.data, PublicFiguresConfig) or not all(
            isinstance(scorer, PublicFiguresScorerConfig) for scorer in scorers
        ):
            raise ValueError(
                "model=checkpoint reads tokens of its own; use data=public_figures and "
                "eval=public_figures"
            )

    @property
    def points(self) -> "list[RunConfig]":
        """The runs of all seeds and learning rates that are asked for, one at least."""
        return [
            replace(
                self, seed=seed, optim=replace(self.optim, learning_rate=rate), seeds=1,
                learning_rates=[],
            )
            for rate in (self.learning_rates or [self.optim.learning_rate])
            for seed in range(self.seed, self.seed + self.seeds)
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for files."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @property
    def kinds(self) -> dict[str, str]:
        """Which world, model and scorers the sections configure."""
        sections = {"data": self.data, "model": self.model}
        if isinstance(self.data, JunkConfig):
            sections["data.useful"] = self.data.useful
        if isinstance(self.model, TransformerConfig) and self.model.mixer is not None:
            sections["model.mixer"] = self.model.mixer
        sections |= {f"eval.{name}": scorer for name, scorer in self.eval.items()}
        return {name: type(section).__name__ for name, section in sections.items()}

    def described(self) -> dict[str, Any]:
        """Plain values with the kinds beside them, from which the run can be told."""
        found = self.ancestor
        earlier = {} if found is None else {"ancestor": found.config.described()}
        return {**self.as_dict(), "kinds": self.kinds, **earlier}

    @property
    def ancestor(self) -> "Ancestor | None":
        """The run that this one starts from.

        Raises:
            InputError: If ``init_from`` names none.
        """
        return ancestor_of(self) if self.init_from else None

    @property
    def architecture(self) -> ModelConfig:
        """The model's, of whichever run built it."""
        found = self.ancestor
        if found is None or not isinstance(self.model, InheritedConfig):
            return self.model
        earlier = found.config.architecture
        if self.model.lora is not None and isinstance(earlier, TransformerConfig):
            return replace(earlier, is_tied=False)
        return earlier

    @property
    def run_id(self) -> str:
        """A hash of what decides the result; the same point has the same name wherever it runs."""
        science = {name: identity(getattr(self, name)) for name in SCIENCE}
        found = self.ancestor
        earlier = [] if found is None else [found.config.run_id]
        text = json.dumps([science, self.kinds, *earlier], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def run_dir(self) -> Path:
        """Where the run's files are."""
        return Path(self.runs_dir) / self.run_id


class Ancestor(NamedTuple):
    """A run that another one starts from.

    Attributes:
        config: Its configuration.
        run_dir: Where it is, or will be.
    """

    config: RunConfig
    run_dir: Path


def ancestor_of(config: RunConfig) -> Ancestor:
    """The run that ``init_from`` names: a finished one's directory, or the words that run it.

    Words leave the seed, the scale and how runs are carried out to the run that starts from it, but
    may have an ``init_from`` of their own, quoted once more.

    Raises:
        InputError: If there is no such run and these are no words.
    """
    if _holds_a_record(config.init_from):  # whatever its name
        path = Path(config.init_from)
        return _trained(Ancestor(recorded(path), path))
    words = _words(config.init_from)
    if refused := [w for w in words if w.startswith(("scale=", "runs_dir="))]:
        raise InputError(f"init_from: leave {refused[0]} to the run that starts from this one")
    if refused := [w for w in words if w.startswith(("seeds=", "learning_rates="))]:
        raise InputError(
            f"init_from: {refused[0]} names many runs; name one by seed= or optim.learning_rate="
        )
    earlier = copy.deepcopy(_earlier((*words, f"scale={config.scale.value}")))
    if earlier.init_from == config.init_from:
        raise InputError(f"init_from={config.init_from} starts from itself; name the run before it")
    has_own_seed = any(word.lstrip("+").startswith("seed=") for word in words)
    runtime = replace(config.runtime, n_measurements=earlier.runtime.n_measurements)
    earlier = replace(
        earlier, seed=earlier.seed if has_own_seed else config.seed, runs_dir=config.runs_dir,
        runtime=runtime, logger=config.logger,
    )  # fmt: skip
    return _trained(Ancestor(earlier, earlier.run_dir))


@cache
def _earlier(words: tuple[str, ...]) -> RunConfig:
    """What words in ``init_from`` say, once a process: a run keeps its name while files change."""
    return composed(words)


def _holds_a_record(folder: str) -> bool:
    """Whether this is the directory of a finished run, and no words."""
    try:
        return bool(folder) and (Path(folder) / "record.json").is_file()
    except (OSError, ValueError):  # longer than any path, or with characters that none has
        return False


def _words(init_from: str) -> list[str]:
    """The words of a command line, quoted as for a shell.

    Raises:
        InputError: If they are none.
    """
    try:
        words = shlex.split(init_from)
    except ValueError as error:  # a quotation mark that nothing closes
        words, reason = [], f" ({error})"
    else:
        reason = ""
    if not words or not all("=" in word for word in words):
        raise InputError(
            f"init_from={init_from} is no directory of a finished run, and no words such as "
            f"'+experiment=NAME data.n_people=500'{reason}"
        )
    return words


def _trained(ancestor: Ancestor) -> Ancestor:
    if ancestor.config.data.exposures == 0:
        raise InputError(
            f"init_from: {ancestor.config.name} trains nothing (data.exposures=0); start from a "
            "run that does, such as the one that it measures"
        )
    return ancestor


def recorded(run_dir: Path) -> RunConfig:
    """The configuration that the record in a run's directory describes.

    A file that decided the result is the copy in there, and a run that this one starts from is the
    one beside it, if they are there: paths and words hold where the command was given.

    Raises:
        InputError: If this version would run it as another run.
    """
    record = read_record(run_dir / "record.json")
    try:
        config = _told(copy.deepcopy(record.config), run_dir.parent)
    except (KeyError, OmegaConfBaseException) as error:
        raise InputError(f"run {record.run_id} is of another version ({error})") from error
    take_copies(config, RunDirectory(run_dir).sources)
    if config.run_id != record.run_id:
        raise InputError(f"run {record.run_id} is of another version of physlm; run it again")
    return config


def _told(values: dict[str, Any], runs_dir: Path) -> RunConfig:
    """The configuration of plain values, as `RunConfig.described` tells of a run."""
    kinds, earlier = values.pop("kinds"), values.pop("ancestor", None)
    known = {schema.__name__: schema for group in FOLDERS for schema in schemas(group).values()}
    node = OmegaConf.structured(RunConfig)
    parts = {}
    for name in reversed(kinds):  # a section's own sections first
        section, _, key = name.partition(".")
        parts[name] = values[section].pop(key) if key else values.pop(section)
    for name, kind in kinds.items():
        part = parts[name]
        OmegaConf.update(node, name, OmegaConf.merge(OmegaConf.structured(known[kind]), part))
    merged = OmegaConf.merge(node, values)
    assert isinstance(merged, DictConfig)
    config = typed(merged, RunConfig)
    if earlier is not None:
        beside = runs_dir / _told(earlier, runs_dir).run_id
        if _holds_a_record(str(beside)):
            config.init_from = str(beside.resolve())
    return config


def composed(words: tuple[str, ...]) -> RunConfig:
    """The configuration of the words of a command line.

    Raises:
        InputError: If a key is unknown, or a value breaks a rule of its field.
    """
    return typed(_composed(words), RunConfig)  # anew, as files that it names may have changed


@cache
def _composed(words: tuple[str, ...]) -> DictConfig:
    register()
    if GlobalHydra.instance().is_initialized():  # within a command, which Hydra composed
        return compose("config", overrides=list(words))
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", overrides=list(words))


@cache
def register() -> None:
    """Make schemas, sweeps and scales known to Hydra in this process, and errors one line each."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints a report of its own
    use_scales()
    use_sources()
    ConfigStore.instance().store(name="run_schema", node=RunConfig)


def typed(composed: DictConfig, kind: type[T]) -> T:
    """The typed configuration; below this point nothing knows Hydra.

    Raises:
        InputError: If a key is unknown, or a value breaks a rule of its field.
    """
    try:
        with refused_values():
            config = OmegaConf.to_object(composed)
    except AttributeError as error:  # slots refuse what `+key=value` smuggled in
        raise InputError(f"unknown key: {error}; --help lists the keys") from error
    assert isinstance(config, kind)
    return config
