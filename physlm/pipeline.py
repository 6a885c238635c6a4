"""One run, from configuration to record; finished runs are skipped, interrupted ones resumed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from physlm.config import RunConfig, Stage
from physlm.drawing import draw_anew, draw_missing
from physlm.errors import InputError, refused_values
from physlm.inheritance import kept_model, started_model
from physlm.interruption import stop_requests
from physlm.measuring import Subject, measured
from physlm.models.language_model import LanguageModel
from physlm.outcome import Outcome, earlier_outcome, is_measured
from physlm.preparation import Prepared, World, build_world, prepare
from physlm.provenance import software
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory
from physlm.sources import files_of, sha256
from physlm.train.fit import Trained, fit, saved_steps
from physlm.train.module import Progress
from physlm.train.runtime import is_main_process
from physlm.train.tracking import Loggers, build_loggers, close, report
from physlm.watching import harmless
from physlm.weights import keep_weights, kept_weights


@stop_requests(at_once=True)
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
        InterruptedRunError: If the process was asked to stop; the last state is saved.
        UnmeasuredError: If a run is to be measured again and a scorer fails.
    """
    if not is_main_process():
        is_done = directory.record.exists() and not config.force
        return None if is_done else _run(config, directory)
    with directory.locked(waits=waits):
        return finished_before(config, directory) or _run(config, directory)


def finished_before(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """What there is of a run that was trained before, of which the rest is measured and drawn now.

    None if it is to be trained.

    Raises:
        InputError: If its record or its weights are damaged, or of another run.
        UnmeasuredError: If it is to be measured again and a scorer fails; the record stays.
    """
    before = earlier_outcome(config, directory)
    if before is None:
        return None
    record = before.record
    if is_measured(config, record):
        if record.status != "diverged":
            draw_missing(config.eval, record, directory)
        return before
    subject = _kept(config, record, directory)
    record = replace(record, scoring_software=software(config.model))
    record = measured(config.eval, record, subject, directory, is_anew=config.rescore)
    with _logged(config, directory, record.steps) as loggers:
        return _shown(config, directory, record, loggers)


def _kept(config: RunConfig, record: RunRecord, directory: RunDirectory) -> Subject:
    """The trained model of a run, as it was kept, and its corpus."""
    world = build_world(config)
    corpus = world.corpus
    if config.stage is Stage.train:
        weights = kept_weights(record, corpus.fingerprint(), directory)
        model = kept_model(config, corpus.vocabulary.size, weights)
    else:
        model = config.model.to_measure(_started(config, world))
    return model.to(world.device).eval(), corpus


def _run(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """Train and measure; helpers of a distributed run only train."""
    prepared = prepare(config)
    is_replaced = directory.record.exists()
    first_step = 0 if is_replaced else saved_steps(directory.checkpoint, prepared.origin)
    prepared = replace(prepared, model=_started(config, prepared))
    if not is_main_process():
        _trained(config, directory, prepared, loggers=[])
        return None
    with opened(config, directory, first_step) as loggers:
        trained = _trained(config, directory, prepared, loggers)
        return finish(config, directory, prepared, trained, loggers)


def _started(config: RunConfig, world: World) -> LanguageModel:
    """With the weights of the run to start from, which is carried out now if it is not there.

    Raises:
        InputError: If that run cannot be started from, or would have to be made by several devices.
    """
    if config.parent is None:
        return world.model
    earlier = RunDirectory(config.parent.run_dir)
    if not earlier.record.exists():
        if config.runtime.n_devices * config.runtime.n_nodes > 1:
            raise InputError(
                f"init_from: {config.parent.config.experiment} has not been run; run it first, "
                "several devices cannot run one after the other"
            )
        execute(config.parent.config, earlier, waits=True)
    return started_model(config, config.parent, earlier, world.corpus.vocabulary.size)


@contextmanager
def opened(config: RunConfig, directory: RunDirectory, first_step: int) -> Iterator[Loggers]:
    """The run's loggers, and its configuration written down; a run that begins anew forgets."""
    if first_step == 0 and directory.record.exists():
        directory.clear()
    with refused_values():
        directory.keep_config(config.described(), files_of(config))
    with _logged(config, directory, first_step) as loggers:
        yield loggers


@contextmanager
def _logged(config: RunConfig, directory: RunDirectory, first_step: int) -> Iterator[Loggers]:
    """The loggers from a step on, of which none stays open."""
    loggers = build_loggers(
        config.logger,
        directory,
        run_id=config.run_id,
        experiment=config.experiment,
        first_step=first_step,
        hyperparameters=config.described(),
    )
    try:
        yield loggers
    finally:
        close(loggers)


def finish(
    config: RunConfig,
    directory: RunDirectory,
    prepared: Prepared,
    trained: Trained,
    loggers: Loggers,
    *,
    n_replicas: int = 1,
) -> Outcome:
    """Keep and score what training came to, alone or as a replica.

    The record is written as soon as weights are kept, and again after each scorer: what is there
    is never computed twice, however the process ends.

    Args:
        config: Of the run.
        directory: Where its files are.
        prepared: What was trained, and on what.
        trained: What training came to.
        loggers: They are told what is measured, and closed.
        n_replicas: Runs that were trained together in one program.
    """
    is_diverged = trained.diverged_at is not None
    record = RunRecord(
        **prepared.facts,
        **_counts(trained.progress, prepared),
        status="diverged" if is_diverged else "trained",
        is_compiled=prepared.is_compiled,
        stopped_at_step=trained.diverged_at,
        n_replicas=n_replicas,
        metrics=(),
    )
    if is_diverged:
        directory.write_record(record)
    else:
        model = config.model.to_measure(trained.model).to(prepared.device).eval()
        if config.stage is Stage.train:
            keep_weights(model, directory.model, prepared.origin)
            record = replace(record, sha256={directory.model.name: sha256(directory.model)})
        record = measured(config.eval, record, (model, prepared.corpus), directory)
    return _shown(config, directory, record, loggers)


def _shown(
    config: RunConfig, directory: RunDirectory, record: RunRecord, loggers: Loggers
) -> Outcome:
    """What a run came to, where it is looked at: with the loggers, and drawn anew.

    Args:
        config: Of the run.
        directory: Where its files are.
        record: What it came to.
        loggers: They are told what was measured, and closed.
    """
    with harmless(f"logging what {directory.path} measured"):
        report(loggers, {metric.text: metric.value for metric in record.metrics}, record.steps)
    close(loggers, record.status)
    draw_anew(config.eval, record, directory)
    return Outcome(record, directory.record, was_done=False)


def _trained(
    config: RunConfig, directory: RunDirectory, prepared: Prepared, loggers: Loggers
) -> Trained:
    """What training comes to; a run that only measures goes on with the model as it is.

    Args:
        config: Of the run.
        directory: Where its files are.
        prepared: What is trained, and on what.
        loggers: Where curves go.
    """
    if config.stage is Stage.measure:
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
        origin=prepared.origin,
        measure=lambda: _curve(config, prepared),
        is_profiled=config.profile,
    )


def _curve(config: RunConfig, prepared: Prepared) -> dict[str, float]:
    """What scorers measure during training."""
    # A copy: long strings lengthen a model's tables, which compiled training keeps by address.
    model = copy.deepcopy(prepared.model).eval()
    scorers = config.eval.values()
    found = [m for scorer in scorers for m in scorer.curve(model, prepared.corpus)]
    return {metric.text: metric.value for metric in found}


def _counts(done: Progress, prepared: Prepared) -> dict[str, Any]:
    """What was trained on, and what training counted."""
    corpus = prepared.corpus
    return {
        "corpus": {"fingerprint": prepared.origin.corpus, "entropy_bits": corpus.entropy_bits},
        "steps": done.steps,
        "tokens": done.tokens,
        "exposures": done.position.exposures(corpus.n_documents),
        "wall_seconds": done.seconds,
        "data_wait_fraction": done.data_wait_fraction,
        "tokens_per_second": done.tokens / done.seconds if done.seconds else 0.0,
    }
