"""Train a model on a corpus, from the last checkpoint if there is one."""

import copy
import logging
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import lightning
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import FSDPStrategy, Strategy

from physlm.archives import is_sound
from physlm.errors import DivergedError, InputError, InterruptedRunError
from physlm.interruption import StopRequests, stop_requests
from physlm.models.compiler_cache import remove_unfinished
from physlm.models.language_model import LanguageModel
from physlm.record import Origin
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.callbacks import Checkpoints, ExposureBar, Measurements
from physlm.train.module import Progress as TrainingProgress
from physlm.train.module import TrainingModule
from physlm.train.objective import Objective
from physlm.train.profile import Profile
from physlm.train.ranks import Ranks
from physlm.train.runtime import ParallelStrategyName, RuntimeConfig, is_main_process
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision, TrainerConfig
from physlm.watching import reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trained:
    """Result of training.

    Attributes:
        model: The model, in its last state.
        progress: Progress up to the last chunk with finite losses.
        diverged_at: The first step whose loss was not finite, if any.
    """

    model: LanguageModel
    progress: TrainingProgress
    diverged_at: int | None = None


def fit(
    model: LanguageModel,
    batches: Batches,
    *,
    optim: OptimConfig,
    trainer: TrainerConfig,
    runtime: RuntimeConfig,
    device: str,
    is_compiled: bool,
    attention_across_documents: bool,
    directory: RunDirectory,
    loggers: Sequence[Logger],
    origin: Origin | None = None,
    measure: Callable[[], Mapping[str, float]] = dict,
    is_profiled: bool = False,
) -> Trained:
    """Train to the end of the corpus, or until the loss is not finite.

    Args:
        model: Trained in place, unless it is sharded.
        batches: The corpus in steps.
        optim: The optimizer and its schedule.
        trainer: Batch size, precision and clipping, which affect the result.
        runtime: Devices, chunks and checkpoints, which do not.
        device: ``cpu`` or ``cuda``.
        is_compiled: Whether steps are compiled.
        attention_across_documents: Whether a token sees earlier documents of its window.
        directory: Of the run; training resumes from its checkpoint, and replaces it.
        loggers: Of learning curves.
        origin: The run, as recorded in checkpoints.
        measure: Called ``runtime.n_evaluations`` times during training, for curves.
        is_profiled: Whether to profile one chunk.

    Raises:
        InterruptedRunError: If the process was asked to stop; its last state is saved.
    """
    settings = _settings_of_lightning(trainer, runtime)
    is_sharded = _is_sharded(runtime)
    whole = copy.deepcopy(model) if is_sharded else model
    objective = Objective(
        model,
        eos=batches.corpus.vocabulary.eos,
        is_visible_across_documents=attention_across_documents,
    )
    is_managed = is_sharded or trainer.precision is Precision.fp16
    if is_compiled and is_managed:
        remove_unfinished()
        objective.compile()
    is_compiled_step = is_compiled and not is_managed
    n_parts, n_processes = 1, 1
    is_divisible = _is_alone(runtime) and device == "cpu" and model.has_additive_loss
    if is_compiled_step and is_divisible:
        n_parts, n_processes = runtime.batch_parts(trainer, batches.seq_len)
    module = TrainingModule(
        objective,
        batches,
        optim=optim,
        trainer=trainer,
        origin=origin,
        is_managed=is_managed,
        is_compiled_step=is_compiled_step,
        n_parts=n_parts,
        n_processes=n_processes,
    )
    checkpoint = directory.checkpoint if directory.checkpoint.exists() else None
    with stop_requests() as stop, lightning_quiet():
        lightning_trainer = lightning.Trainer(
            accelerator=device,
            logger=list(loggers),
            callbacks=_callbacks(runtime, directory, measure, stop, is_profiled=is_profiled),
            default_root_dir=directory.path,
            **settings,
        )
        try:
            with _resuming(checkpoint, module):
                lightning_trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
        except DivergedError as error:
            return Trained(whole, module.progress, diverged_at=error.step)
        finally:
            module.close()
        if is_sharded:
            lightning_trainer.save_checkpoint(directory.checkpoint)
            _fill(whole, directory.checkpoint)
    return Trained(whole, module.progress)


@contextmanager
def _resuming(checkpoint: Path | None, module: TrainingModule) -> Iterator[None]:
    """A context in which a checkpoint that does not fit the run is an error of the input.

    Raises:
        InputError: For every error of its content, before the first step.
    """
    try:
        yield
    except (DivergedError, InputError, InterruptedRunError, torch.OutOfMemoryError):
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if checkpoint is None or module.is_started:
            raise
        raise InputError(
            f"{checkpoint} does not fit this run ({type(error).__name__}: {reason(error)[:200]}); "
            "delete it to train from the start"
        ) from error


def _callbacks(
    runtime: RuntimeConfig,
    directory: RunDirectory,
    measure: Callable[[], Mapping[str, float]],
    stop: StopRequests,
    *,
    is_profiled: bool,
) -> list[lightning.Callback]:
    """What happens between chunks; measuring comes first, so that a stop during it is seen."""
    callbacks: list[lightning.Callback] = []
    if runtime.n_evaluations:
        callbacks.append(Measurements(measure, runtime.n_evaluations))
    callbacks.append(Checkpoints(directory.checkpoint, runtime.checkpoint_seconds, stop))
    if runtime.progress_bar:
        callbacks.append(ExposureBar())
    if is_profiled and is_main_process():
        callbacks.append(Profile(directory.path))
    return callbacks


def saved_steps(path: Path, origin: Origin | None = None) -> int:
    """Optimizer steps of a checkpoint; 0 if there is none.

    Args:
        path: Where it is, or would be.
        origin: The run that it must belong to, if it names one; None accepts any.

    Raises:
        InputError: If the file is damaged, not a checkpoint of physlm, or of another run.
    """

    def read(saved: Any) -> tuple[int, dict[str, str]]:
        return int(saved["progress"]["steps"]), dict(saved.get("origin", {}))

    nothing: tuple[int, dict[str, str]] = (0, {})
    steps, found = from_checkpoint(path, read, nothing)
    if origin is not None:
        origin.require(found, path)
    return steps


def from_checkpoint(path: Path, read: Callable[[Any], T], default: T) -> T:
    """Read values from a checkpoint while its weights stay on disk; the default if there is none.

    Args:
        path: Of the checkpoint.
        read: Extracts the values from the loaded state.
        default: Returned if there is no file.

    Raises:
        InputError: If the file is damaged or not a checkpoint of physlm.
    """
    if not path.exists():
        return default
    try:
        if is_sound(path):
            return read(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    except (
        AttributeError,
        EOFError,
        LookupError,
        OSError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ):
        pass
    raise InputError(
        f"{path} is damaged or not a checkpoint of physlm; delete it to train from the start"
    )


@contextmanager
def lightning_quiet() -> Iterator[None]:
    """Silence Lightning's advice on loader workers and lengths.

    Batches are rendered by a thread, and their number is known only after packing.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield


def _settings_of_lightning(trainer: TrainerConfig, runtime: RuntimeConfig) -> dict[str, Any]:
    """How Lightning carries training out; batches, checkpoints and progress are ours."""
    precision = {
        Precision.fp32: "32-true",
        Precision.bf16: "bf16-mixed",
        Precision.fp16: "16-mixed",
    }
    return {
        "devices": runtime.n_devices,
        "num_nodes": runtime.n_nodes,
        "strategy": _strategy(trainer, runtime),
        "precision": precision[trainer.precision],
        "max_epochs": 1,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "use_distributed_sampler": False,
        "limit_val_batches": 0,
        "num_sanity_val_steps": 0,
    }


def _is_sharded(runtime: RuntimeConfig) -> bool:
    return not _is_alone(runtime) and runtime.strategy is ParallelStrategyName.fsdp


def _is_alone(runtime: RuntimeConfig) -> bool:
    return runtime.n_devices * runtime.n_nodes == 1


def _fill(model: LanguageModel, path: Path) -> None:
    """Load the weights of a checkpoint into a model that was never sharded."""
    saved = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    model.load_state_dict(
        {name.removeprefix("objective.model."): weight for name, weight in saved.items()}
    )


def _strategy(trainer: TrainerConfig, runtime: RuntimeConfig) -> str | Strategy:
    if _is_alone(runtime):
        return "auto"
    if _is_sharded(runtime):
        return FSDPStrategy(state_dict_type="full", use_orig_params=True)
    if trainer.precision is Precision.fp16:  # the scaler must see the gradients of all ranks
        return "ddp"
    return Ranks(n_threads=torch.get_num_threads())
