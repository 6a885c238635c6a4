"""The configuration of a run: its fields, their rules, and the run id."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import MISSING

from physlm.config.scale import Scale
from physlm.data.corpus import DataConfig
from physlm.data.inherited import InheritedDataConfig
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig
from physlm.launcher import LauncherConfig
from physlm.memory import require_memory
from physlm.models.architecture import ModelConfig, TransformerConfig
from physlm.models.endpoint_model import EndpointConfig
from physlm.models.inherited import InheritedConfig
from physlm.registry import tag_of
from physlm.run_id import identity, without_how
from physlm.schema import Schema
from physlm.science import SCIENCE
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

_RUN_BYTES = 10_000  # minimum memory of one configuration of many


class Stage(str, Enum):
    """What a run does: train and measure a model, or only measure it."""

    train = "train"
    measure = "measure"


@dataclass(kw_only=True, slots=True)
class RunConfig(Schema):
    """The complete configuration of one run."""

    seed: int = 0  # of the world, the initial weights and the order of documents
    data: DataConfig = MISSING
    model: ModelConfig = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    eval: dict[str, ScorerConfig] = field(default_factory=dict)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    launcher: LauncherConfig | None = None  # Slurm jobs that do the runs (launcher=slurm)
    experiment: str = "run"  # name of the experiment, in tables and W&B
    label: str = ""  # name of the run in tables that compare runs
    paper: str = ""  # part of the paper series that the experiment tests, a tag in W&B
    seeds: int = 1  # number of runs, with consecutive seeds from `seed`
    learning_rates: list[float] = field(default_factory=list)  # one run for each rate
    scale: Scale = Scale.laptop  # size of world and model, for the machine
    stage: Stage = Stage.train  # measure: measures a finished run or a checkpoint, untrained
    runs_dir: str = "runs"  # folder of run directories
    force: bool = False  # run again even if the record exists
    rescore: bool = False  # measure a finished run again, without training
    profile: bool = False  # profile training, and write a trace
    init_from: str = ""  # parent run: its directory, or overrides such as +experiment=NAME
    published: dict[str, float] = field(default_factory=dict)  # the paper's numbers by metric
    published_of: str = ""  # the paper's world and models, which gave these numbers
    # The run that init_from names, set when overrides are composed (lineage.py); not a key.
    parent: "Parent | None" = field(default=None, metadata={"omegaconf_ignore": True})

    def validate(self) -> None:
        """Every value in its range."""
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}; must be at least 0")
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds}; must be at least 1")
        n_runs = self.seeds * max(1, len(self.learning_rates))
        require_memory({f"seeds={self.seeds} for each learning rate": _RUN_BYTES * n_runs})
        rates = self.learning_rates
        if not all(0 < rate < math.inf for rate in rates) or len(set(rates)) < len(rates):
            raise ValueError(
                f"learning_rates={rates}; each must be above 0, finite, and given once"
            )
        self._require_stage()
        if self.model.is_published:
            self._require_measured_only()
        self._require_untrained_if_quantised()
        n_ranks = self.runtime.n_devices * self.runtime.n_nodes
        n_parts = n_ranks * self.trainer.gradient_accumulation_steps
        if self.trainer.batch_size % n_parts:
            raise ValueError(
                f"trainer.batch_size={self.trainer.batch_size} is not divisible by {n_parts} "
                "(devices x nodes x trainer.gradient_accumulation_steps); every device takes "
                "equal parts"
            )
        if self.parent is not None:
            self.parent = self.parent.of(self)

    def _require_stage(self) -> None:
        """Training has at least one exposure; stage=measure sets data.exposures to 0."""
        if self.stage is Stage.train and isinstance(self.data, InheritedDataConfig):
            raise ValueError(
                "data=inherited is measured, not trained on; set stage=measure, or choose a world "
                "by data="
            )
        if self.stage is Stage.measure:
            self.data = replace(self.data, exposures=0)
            if not self.init_from and not self.model.is_published:
                raise ValueError(
                    "stage=measure trains nothing; name the run to be measured by init_from"
                )
        elif self.data.exposures == 0:
            raise ValueError(
                "data.exposures=0; must be at least 1 in training; stage=measure measures the run "
                "of init_from without training"
            )

    def _require_untrained_if_quantised(self) -> None:
        """Quantised weights are measured, but not trained."""
        bits = self.model.weight_bits if isinstance(self.model, InheritedConfig) else None
        if bits is not None and self.stage is Stage.train:
            raise ValueError(
                f"model.weight_bits={bits} quantises the weights of a finished run; set "
                "stage=measure and name that run by init_from"
            )

    def _require_measured_only(self) -> None:
        """A published model is not trained, and reads texts."""
        kind = tag_of(type(self.model)).replace("/", "=")
        if self.stage is Stage.train:
            raise ValueError(f"{kind} cannot be trained; set stage=measure")
        if self.init_from:
            raise ValueError(f"{kind} has its own weights; leave init_from out")
        if not self.data.has_texts:
            raise ValueError(
                f"{kind} has its own tokenizer, and {tag_of(type(self.data))} has no "
                "texts for it; use data=public_figures, texts, bible, mquake or options"
            )
        for name, scorer in self.eval.items():
            if not scorer.measures_checkpoints:
                raise ValueError(
                    f"{kind} has its own tokenizer, and eval={name} measures only models that use "
                    "a corpus's tokens; use another scorer, such as eval=public_figures"
                )
            if isinstance(self.model, EndpointConfig) and not scorer.measures_answers:
                raise ValueError(
                    f"{kind} returns only text, and eval={name} reads scores or states; use "
                    "eval=public_figures, or the model's folder as model=checkpoint"
                )

    @property
    def points(self) -> "list[RunConfig]":
        """One run for each seed and learning rate, at least one."""
        return [
            replace(
                self,
                seed=seed,
                optim=replace(self.optim, learning_rate=rate),
                seeds=1,
                learning_rates=[],
            )
            for rate in (self.learning_rates or [self.optim.learning_rate])
            for seed in range(self.seed, self.seed + self.seeds)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["parent"]
        values: dict[str, Any] = json.loads(json.dumps(own, default=asdict))
        return values

    def deciding(self) -> dict[str, Any]:
        """Plain values of the fields that decide the result, to be compared with a record's."""
        own = {name: without_how(getattr(self, name)) for name in SCIENCE}
        values: dict[str, Any] = json.loads(json.dumps(own, default=asdict))
        return values

    @property
    def kinds(self) -> dict[str, str]:
        """The tag of the schema of each section and part, as in ``{"data": "data/bios"}``."""
        sections: dict[str, Schema] = {"data": self.data, "model": self.model}
        for name, section in list(sections.items()):
            sections |= {f"{name}.{part}": own for part, own in section.parts.items()}
        sections |= {f"eval.{name}": scorer for name, scorer in self.eval.items()}
        return {name: tag_of(type(section)) for name, section in sections.items()}

    def described(self) -> dict[str, Any]:
        """Plain values with the kinds and ancestors, from which the run can be rebuilt."""
        earlier = {} if self.parent is None else {"ancestor": self.parent.config.described()}
        return {**self.as_dict(), "kinds": self.kinds, **earlier}

    @property
    def architecture(self) -> ModelConfig:
        """The architecture of the model, from the ancestor that built it if there is one."""
        if self.parent is None or not isinstance(self.model, InheritedConfig):
            return self.model
        earlier = self.parent.config.architecture
        if self.model.lora is not None and isinstance(earlier, TransformerConfig):
            return replace(earlier, tie_embeddings=False)
        return earlier

    @property
    def run_id(self) -> str:
        """A hash of the fields that decide the result, whatever machine the run is on.

        Raises:
            InputError: If ``init_from`` is given but its run was not looked up.
        """
        if self.init_from and self.parent is None:
            raise InputError(
                f"init_from={self.init_from} was given to RunConfig itself; compose overrides by "
                "physlm.config.composed, which looks that run up"
            )
        science = {name: identity(getattr(self, name)) for name in SCIENCE}
        earlier = [] if self.parent is None else [self.parent.config.run_id]
        text = json.dumps([science, self.kinds, *earlier], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def run_dir(self) -> Path:
        """The run directory."""
        return Path(self.runs_dir) / self.run_id


class Parent(NamedTuple):
    """The run that another one starts from.

    Attributes:
        config: Its configuration.
        directory: Its run directory, if ``init_from`` names one; else that of its configuration.
        has_own_seed: Whether the overrides give its seed; else it has the seed of the child.
    """

    config: RunConfig
    directory: Path | None = None
    has_own_seed: bool = False

    @property
    def run_dir(self) -> Path:
        """Its run directory."""
        return self.config.run_dir if self.directory is None else self.directory

    def of(self, child: RunConfig) -> "Parent":
        """The parent with the seed, runtime and logger of a child, unless it is a directory."""
        if self.directory is not None:
            return self
        n_evaluations = self.config.runtime.n_evaluations
        config = replace(
            self.config,
            seed=self.config.seed if self.has_own_seed else child.seed,
            runs_dir=child.runs_dir,
            logger=child.logger,
            runtime=replace(child.runtime, n_evaluations=n_evaluations),
        )
        return self._replace(config=config)
