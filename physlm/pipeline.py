"""One run, from configuration to record; finished runs are skipped, interrupted ones resumed."""

import copy
import math
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_model

from physlm import __version__
from physlm.analysis.figures import draw_learning_curve, draw_run, save_figure
from physlm.changes import changes_of
from physlm.config import Ancestor, RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import InputError, refused_values
from physlm.inheritance import corpus_of, finished_model, model_of
from physlm.models.checkpoint import CheckpointConfig
from physlm.models.language_model import LanguageModel
from physlm.record import (
    Metric,
    RunDirectory,
    RunRecord,
    by_name,
    read_curves,
    replacing,
    write_text,
)
from physlm.sources import files_of
from physlm.train.batches import Batches
from physlm.train.fit import RuntimeConfig, Trained, fit, is_main_process, saved_steps
from physlm.train.module import Progress
from physlm.train.processor import processor_name, use_processor
from physlm.train.tracking import build_loggers, close, report
from physlm.watching import harmless

_LIBRARIES = ("torch", "lightning", "numpy", "numba", "hydra-core", "tokenizers")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: Its record.
        path: Where the record is.
        was_done: The run had finished before and was not repeated.
    """

    record: RunRecord
    path: Path
    was_done: bool


def execute(config: RunConfig, directory: RunDirectory, *, waits: bool = False) -> Outcome | None:
    """Carry a run to its end, or find that it is there already.

    The run that it starts from, if any, is carried out once this one is found sound. In a
    distributed run every process comes here; only the first one keeps the run's files, and the
    others return None.

    Args:
        config: What to run.
        directory: Where its files are.
        waits: Whether to wait for another process that works on this run.

    Raises:
        InputError: If the configuration or a file of an earlier attempt cannot be used.
        InterruptedRunError: If the process was asked to stop; the state is saved.
    """
    if not is_main_process():
        if config.force or not directory.record.exists():
            _train(config, directory, _started(config, prepare(config)), loggers=[])
        return None
    with directory.locked(waits=waits):
        record = None if config.force else directory.read_record()
        if record is not None:
            return Outcome(record, directory.record, was_done=True)
        prepared = _started(config, prepare(config))
        if directory.record.exists():
            directory.clear()
        return _run(config, directory, prepared)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run works with, all of it checked.

    Attributes:
        device: Where to compute.
        corpus: What is trained on.
        model: What is trained.
        batches: The corpus in steps.
        is_compiled: Whether training is compiled.
    """

    device: str
    corpus: Corpus
    model: LanguageModel
    batches: Batches
    is_compiled: bool


def prepare(config: RunConfig) -> Prepared:
    """Build world and model; whatever can be refused is refused here, before any compute."""
    device = config.runtime.resolved_device()
    config.trainer.require(device)
    config.logger.require()
    runtime = config.runtime
    use_processor(runtime.n_threads, runtime.n_devices)
    with refused_values():
        corpus = corpus_of(config)
        model = model_of(config, corpus.vocabulary.size)
    for scorer in config.eval.values():
        scorer.check(model, corpus)
    n_parameters = sum(model.n_parameters().values())
    batches = Batches(corpus, config.data.seq_len, config.trainer.batch_size)
    n_tokens = batches.n_tokens()
    _require_a_batch(config, n_tokens)
    batches = runtime.chunked(batches, device, n_parameters, n_tokens)
    is_compiled = runtime.is_compiled(device, n_parameters, n_tokens)
    return Prepared(device, corpus, model, batches, is_compiled)


def _started(config: RunConfig, prepared: Prepared) -> Prepared:
    """With the weights of the run to start from, if there is one."""
    ancestor = config.ancestor
    if ancestor is None:
        return prepared
    weights = _weights(ancestor, config.runtime)
    model = model_of(config, prepared.corpus.vocabulary.size, weights=weights)
    return replace(prepared, model=model)


def _weights(ancestor: Ancestor, runtime: RuntimeConfig) -> Path:
    """The weights of a run to start from, which is carried out now if it is not there.

    Raises:
        InputError: If it diverged, was made by other code, or would have to be made by several
            devices.
    """
    directory = RunDirectory(ancestor.run_dir)
    record = directory.read_record()
    if record is None:
        if runtime.n_devices * runtime.n_nodes > 1:
            raise InputError(
                f"init_from: {ancestor.config.name} has not been run; run it first, several "
                "devices cannot run one after the other"
            )
        outcome = execute(ancestor.config, directory, waits=True)
        assert outcome is not None
        record = outcome.record
    if record.status != "finished":
        raise InputError(f"{directory.path}, the run to start from, {record.status}")
    with refused_values():
        corpus = corpus_of(ancestor.config)
    if corpus.fingerprint() != record.corpus["fingerprint"]:
        raise InputError(f"{directory.path} was trained on another corpus; run it again")
    if not directory.model.is_file():
        raise InputError(f"{directory.model} is missing; run {directory.path} again")
    return directory.model


def _require_a_batch(config: RunConfig, n_tokens: float) -> None:
    """Training fills at least one batch; what is missing of it would be computed for nothing."""
    n_windows = math.ceil(n_tokens / config.data.seq_len)
    if n_windows and config.trainer.batch_size > n_windows:
        raise InputError(
            f"trainer.batch_size={config.trainer.batch_size} exceeds the {n_windows} windows of "
            f"{config.data.seq_len} tokens that all of training has; lower it, or train longer"
        )


def _run(config: RunConfig, directory: RunDirectory, prepared: Prepared) -> Outcome:
    loggers = opened(config, directory, saved_steps(directory.checkpoint))
    try:
        trained = _train(config, directory, prepared, loggers)
        outcome = finish(config, directory, prepared, trained, loggers)
        close(loggers, outcome.record.status)
    finally:
        close(loggers)
    return outcome


def opened(config: RunConfig, directory: RunDirectory, first_step: int) -> list[Any]:
    """The configuration and its files written down, and the loggers, from a step on."""
    with refused_values():
        directory.keep_sources(files_of(config))
    write_text(directory.config, yaml.safe_dump(config.described(), sort_keys=False))
    return build_loggers(
        config.logger,
        directory,
        run_id=config.run_id,
        name=config.name,
        first_step=first_step,
        hyperparameters=config.described(),
    )


def finish(
    config: RunConfig,
    directory: RunDirectory,
    prepared: Prepared,
    trained: Trained,
    loggers: list[Any],
    *,
    n_replicas: int = 1,
) -> Outcome:
    """Keep and score what training came to, alone or as a replica; the record is written last."""
    record = _record(config, directory, prepared, trained, loggers)
    record = replace(record, n_replicas=n_replicas)
    directory.write_record(record)
    with harmless(f"{directory.path}: figures cannot be drawn"):
        curves = read_curves(directory.metrics)
        draw_run(record, curves, directory.path / "figure.png")
        draw_learning_curve(record, curves, directory.path / "learning_curve.png")
    return Outcome(record, directory.record, was_done=False)


def _record(
    config: RunConfig,
    directory: RunDirectory,
    prepared: Prepared,
    trained: Trained,
    loggers: list[Any],
) -> RunRecord:
    facts = {**_facts(config, prepared), **_counts(trained.progress, prepared.corpus)}
    if trained.diverged_at is not None:
        return RunRecord(
            **facts, status="diverged", metrics=(), stopped_at_step=trained.diverged_at
        )
    model = finished_model(config, trained.model).to(prepared.device).eval()
    if config.data.exposures:
        with replacing(directory.model) as temporary:
            save_model(model, str(temporary))
    metrics = score(config, model, prepared.corpus)
    for scorer in config.eval.values():
        with harmless(f"{directory.path}: figures cannot be drawn"):
            for name, figure in scorer.figures(model, prepared.corpus).items():
                save_figure(figure, directory.path / f"{name}.png")
    values = {name: metric.value for name, metric in by_name(metrics).items()}
    report(loggers, values, trained.progress.steps)
    return RunRecord(**facts, status="finished", metrics=tuple(metrics))


def _train(
    config: RunConfig, directory: RunDirectory, prepared: Prepared, loggers: list[Any]
) -> Trained:
    if config.data.exposures == 0:
        return Trained(prepared.model, Progress())
    return fit(
        prepared.model,
        prepared.batches,
        optim=config.optim,
        trainer=config.trainer,
        runtime=config.runtime,
        is_compiled=prepared.is_compiled,
        attention_across_documents=config.data.attention_across_documents,
        directory=directory,
        loggers=loggers,
        measure=lambda: _curve(config, prepared),
        is_profiled=config.profile,
    )


def score(config: RunConfig, model: LanguageModel, corpus: Corpus) -> list[Metric]:
    """Every scorer's metrics."""
    return [metric for scorer in config.eval.values() for metric in scorer.score(model, corpus)]


def _curve(config: RunConfig, prepared: Prepared) -> dict[str, float]:
    """What scorers measure during training."""
    # A copy: long strings lengthen a model's tables, which compiled training keeps by address.
    model = copy.deepcopy(prepared.model).eval()
    scorers = config.eval.values()
    measured = [m for scorer in scorers for m in scorer.curve(model, prepared.corpus)]
    return {name: metric.value for name, metric in by_name(measured).items()}


def _facts(config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    """What is known before training."""
    by_role, corpus = prepared.model.n_parameters(), prepared.corpus
    return {
        "run_id": config.run_id,
        "name": config.name,
        "config": config.described(),
        "software": {
            "physlm": __version__,
            **{name: version(name) for name in _libraries(config)},
            **_git_revision(),
        },
        "device": torch.cuda.get_device_name() if prepared.device == "cuda" else _processor(),
        "corpus": {"fingerprint": corpus.fingerprint(), "entropy_bits": corpus.entropy_bits},
        "is_compiled": prepared.is_compiled,
        "parameters": {**by_role, **_totals(prepared.model)},
        "published": dict(config.published),
        "published_of": config.published_of,
        "changed": changes_of(config),
    }


def _totals(model: LanguageModel) -> dict[str, int]:
    """All parameters, and those that one token is computed with where these are fewer."""
    total, active = sum(model.n_parameters().values()), model.n_active_parameters()
    return {"total": total} if active == total else {"total": total, "active": active}


def _libraries(config: RunConfig) -> tuple[str, ...]:
    is_read = isinstance(config.model, CheckpointConfig)
    return (*_LIBRARIES, "transformers") if is_read else _LIBRARIES


def _counts(done: Progress, corpus: Corpus) -> dict[str, Any]:
    """What training counted."""
    return {
        "steps": done.steps,
        "tokens": done.tokens,
        "exposures": done.position.exposures(corpus.n_documents),
        "wall_seconds": done.seconds,
        "waiting_share": done.waiting_share,
        "tokens_per_second": done.tokens / done.seconds if done.seconds else 0.0,
    }


@cache
def _git_revision() -> dict[str, Any]:
    """The commit that the code was at when this process first asked, where it is a checkout."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return {"git_revision": None, "git_dirty": None}

    def git(*words: str) -> str | None:
        command = ["git", "-C", str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain", "--untracked-files=no")
    return {
        "git_revision": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }


def _processor() -> str:
    name = processor_name()
    return f"{name} ({torch.get_num_threads()} threads)" if name else "cpu"
