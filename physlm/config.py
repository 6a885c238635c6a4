"""The configuration of a run: its schema, where its files are, and the name it gives the run."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from physlm.analysis.cfg_attention import CfgAttentionConfig
from physlm.analysis.cfg_probing import CfgProbingConfig
from physlm.data.bio.biod import BiodConfig
from physlm.data.bio.bios import BiosConfig
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.corpus import DataConfig
from physlm.errors import InputError, refused_values
from physlm.eval.capacity import CapacityConfig
from physlm.eval.cfg_accuracy import CfgAccuracyConfig
from physlm.eval.cfg_distribution import CfgDistributionConfig
from physlm.eval.cfg_robustness import CfgRobustnessConfig
from physlm.eval.scorer import ScorerConfig
from physlm.models.decoder import DecoderConfig
from physlm.models.encoder import EncoderConfig
from physlm.models.language_model import ModelConfig
from physlm.record import SCIENCE
from physlm.train.fit import RuntimeConfig
from physlm.train.module import TrainerConfig
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import LoggerConfig

T = TypeVar("T")


class Scale(str, Enum):
    """How large: two CPU cores and minutes, one GPU and an hour, or as published."""

    laptop = "laptop"
    gpu = "gpu"
    paper = "paper"


@dataclass(kw_only=True, slots=True)
class RunConfig:
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
    scale: Scale = Scale.laptop
    runs_dir: str = "runs"  # where run directories are made
    force: bool = False  # run again although the record exists
    profile: bool = False  # show where the time of training goes, and write a trace
    published: dict[str, float] = field(default_factory=dict)  # metric name: the paper's number
    published_of: str = ""  # what the paper measured it on

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}; seeds are integers from 0 up")
        n_ranks = self.runtime.n_devices * self.runtime.n_nodes
        n_parts = n_ranks * self.trainer.n_accumulate
        if self.trainer.batch_size % n_parts:
            raise ValueError(
                f"trainer.batch_size={self.trainer.batch_size} is not divisible by {n_parts} "
                "(devices x nodes x trainer.n_accumulate); every device takes equal parts"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for files."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @property
    def kinds(self) -> dict[str, str]:
        """Which world, model and scorers the sections configure."""
        sections = {"data": self.data, "model": self.model}
        sections |= {f"eval.{name}": scorer for name, scorer in self.eval.items()}
        return {name: type(section).__name__ for name, section in sections.items()}

    def described(self) -> dict[str, Any]:
        """Plain values with the kinds beside them, from which the run can be told."""
        return {**self.as_dict(), "kinds": self.kinds}

    @property
    def run_id(self) -> str:
        """A hash of what decides the result; the same point has the same name wherever it runs."""
        values = self.as_dict()
        science = {name: values[name] for name in SCIENCE}
        text = json.dumps([science, self.kinds], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def run_dir(self) -> Path:
        """Where the run's files are."""
        return Path(self.runs_dir) / self.run_id


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


def register_schemas() -> None:
    """Make the typed schemas known to Hydra, as classes, so that each YAML file is checked."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunConfig)
    schemas = {
        "bios": BiosConfig, "biod": BiodConfig, "cfg": CfgConfig,
        "decoder": DecoderConfig, "encoder": EncoderConfig,
        "capacity": CapacityConfig, "cfg_accuracy": CfgAccuracyConfig,
        "cfg_distribution": CfgDistributionConfig, "cfg_robustness": CfgRobustnessConfig,
        "cfg_probing": CfgProbingConfig, "cfg_attention": CfgAttentionConfig,
    }  # fmt: skip
    for name, schema in schemas.items():
        store.store(group="schema", name=name, node=schema)


def register_sweeps() -> None:
    """Make every grid of `sweeps/`, which lies beside `conf/`, an option of the group sweeps."""
    for path in sorted((config_dir().parent / "sweeps").glob("*.yaml")):
        node = OmegaConf.load(path)
        ConfigStore.instance().store(
            group="sweeps", name=path.stem, node=node, package="_global_", provider="sweeps"
        )


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
