"""One run, from configuration to record; finished runs are skipped, interrupted ones resumed."""

from contextlib import closing
from dataclasses import replace
from typing import Any

from physlm.config import RunConfig, Stage
from physlm.drawing import draw
from physlm.errors import InputError
from physlm.interruption import stop_requests
from physlm.measuring import Subject, curve, measured
from physlm.outcome import Outcome, earlier_outcome
from physlm.preparation import Prepared, prepare, trained_world
from physlm.provenance import software
from physlm.record import Origin, RunRecord
from physlm.run_directory import RunDirectory
from physlm.sources import sha256
from physlm.train.fit import Trained, fit, saved_steps
from physlm.train.module import Progress
from physlm.train.runtime import is_main_process
from physlm.train.tracking import Tracking
from physlm.weights import keep_weights


@stop_requests(at_once=True)
def execute(config: RunConfig, directory: RunDirectory, *, waits: bool = False) -> Outcome | None:
    """Complete a run: train, measure and draw what is missing.

    Its parent, if any, is completed first, once this run has been checked. In a distributed run
    every process calls this; only the first one writes the run's files, and the others return
    None.

    Args:
        config: What to run.
        directory: The run directory.
        waits: Whether to wait for another process that works on this run.

    Raises:
        InputError: If the configuration or a file of an earlier attempt cannot be used.
        InterruptedRunError: If the process was asked to stop; the last state is saved.
        UnmeasuredError: If a run is to be measured again and a scorer fails.
    """
    tracking = tracking_of(config, directory)
    if is_main_process():
        with directory.locked(waits=waits), closing(tracking):
            return carry_out(config, directory, tracking)
    if config.force or not directory.record.exists():
        _fitted(config, directory, tracking)
    return None


def tracking_of(config: RunConfig, directory: RunDirectory) -> Tracking:
    """The loggers of a run, none of them open yet."""
    return Tracking(
        config=config.logger,
        directory=directory,
        run_id=config.run_id,
        described=config.described(),
    )


def carry_out(config: RunConfig, directory: RunDirectory, tracking: Tracking) -> Outcome:
    """Complete a run whose directory is locked: train, measure and draw what is missing.

    Args:
        config: What to run.
        directory: The run directory, which no other process works on.
        tracking: Its loggers.

    Raises:
        InputError: If the configuration or a file of an earlier attempt cannot be used.
        UnmeasuredError: If rescoring fails; the record is unchanged.
    """
    before = earlier_outcome(config, directory)
    if before is None:
        prepared, trained = _fitted(config, directory, tracking)
        record, subject = keep(config, directory, prepared, trained)
    elif not before.was_done:
        record, subject = _kept(config, directory, before.record)
    else:
        if before.record.status != "diverged":
            draw(config.eval, before.record, directory)
        return before
    is_anew = config.rescore and before is not None
    return finish(config, directory, record, subject, tracking, is_anew=is_anew)


def _carry_out_parent(config: RunConfig, directory: RunDirectory) -> None:
    """Complete the parent of a run if it has no record, after checking the run itself.

    Raises:
        InputError: If a value or the checkpoint is refused, or a missing parent would need
            several devices.
    """
    if config.parent is None:
        return
    earlier = RunDirectory(config.parent.run_dir)
    if earlier.record.exists():
        return
    _first_step(directory, prepare(config).origin)  # refuses a checkpoint of another run
    if config.runtime.n_devices * config.runtime.n_nodes > 1:
        raise InputError(
            f"init_from: {config.parent.config.experiment} has not been run, and a run on several "
            "devices does not run its parent; run it first"
        )
    execute(config.parent.config, earlier, waits=True)


def _fitted(
    config: RunConfig, directory: RunDirectory, tracking: Tracking
) -> tuple[Prepared, Trained]:
    """A run's corpus and model, and the result of training; stage=measure trains nothing."""
    _carry_out_parent(config, directory)
    prepared = prepare(config, is_started=True)
    if is_main_process():
        first_step = _first_step(directory, prepared.origin)
        directory.begin(config, first_step=first_step)
        tracking.start(first_step)
    if config.stage is Stage.measure:
        prepared.model.keep_answers(directory.answers)
        return prepared, Trained(prepared.model, Progress())
    trained = fit(
        prepared.model,
        prepared.batches,
        optim=config.optim,
        trainer=config.trainer,
        runtime=config.runtime,
        device=prepared.device,
        is_compiled=prepared.is_compiled,
        attention_across_documents=config.data.attention_across_documents,
        directory=directory,
        loggers=tracking.loggers,
        origin=prepared.origin,
        measure=lambda: curve(config.eval, prepared.model, prepared.corpus),
        is_profiled=config.profile,
    )
    return prepared, trained


def _first_step(directory: RunDirectory, origin: Origin) -> int:
    """The step from which training resumes; 0 for a run that is repeated."""
    return 0 if directory.record.exists() else saved_steps(directory.checkpoint, origin)


def keep(
    config: RunConfig,
    directory: RunDirectory,
    prepared: Prepared,
    trained: Trained,
    *,
    n_replicas: int = 1,
) -> tuple[RunRecord, Subject]:
    """Save the trained weights of a run, trained alone or as a replica.

    Args:
        config: Of the run.
        directory: The run directory.
        prepared: Its corpus and model.
        trained: The result of training.
        n_replicas: Number of runs trained together in one program.

    Returns:
        The record, not written yet, and the model and corpus to measure.
    """
    counts = _counts(trained.progress, prepared)
    is_diverged = trained.diverged_at is not None
    model, hashes = trained.model, {}
    if not is_diverged:
        model = config.model.to_measure(model).to(prepared.device).eval()
        if config.stage is Stage.train:
            keep_weights(model, directory.model, prepared.origin)
            hashes = {directory.model.name: sha256(directory.model)}
    record = RunRecord(
        **prepared.facts,
        **counts,
        status="diverged" if is_diverged else "trained",
        is_compiled=prepared.is_compiled,
        stopped_at_step=trained.diverged_at,
        n_replicas=n_replicas,
        metrics=(),
        sha256=hashes,
    )
    return record, (model, prepared.corpus)


def _counts(done: Progress, prepared: Prepared) -> dict[str, Any]:
    """The corpus, and the counts of training."""
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


def _kept(
    config: RunConfig, directory: RunDirectory, record: RunRecord
) -> tuple[RunRecord, Subject]:
    """The record of a run that was trained before, with its saved model and its corpus."""
    if config.stage is Stage.measure:
        _carry_out_parent(config, directory)
    world = trained_world(config, directory)
    if config.rescore:
        directory.answers.unlink(missing_ok=True)
    world.model.keep_answers(directory.answers)
    record = replace(record, scoring_software=software(config.model))
    return record, (world.model, world.corpus)


def finish(
    config: RunConfig,
    directory: RunDirectory,
    record: RunRecord,
    subject: Subject,
    tracking: Tracking,
    *,
    is_anew: bool = False,
) -> Outcome:
    """Run the scorers that have not measured yet, draw the figures and log the results.

    The record is written as soon as the weights are saved, and again after each scorer, so nothing
    is computed twice, however the process ends.

    Args:
        config: Of the run.
        directory: The run directory.
        record: Its record.
        subject: Its model and its corpus.
        tracking: Its loggers.
        is_anew: Whether to measure everything again.
    """
    record = measured(config.eval, record, subject, directory, is_anew=is_anew)
    draw(config.eval, record, directory, is_anew=True)
    tracking.end(record)
    return Outcome(record, directory.record, was_done=False)
