"""One run, from configuration to record; finished runs are skipped, interrupted ones resumed."""

import copy
from dataclasses import replace
from typing import Any

import yaml

from physlm.config import Parent, RunConfig, Stage
from physlm.data.corpus import Corpus
from physlm.errors import InputError, refused_values
from physlm.inheritance import corpus_of, finished_model, kept_model, model_of
from physlm.interruption import stop_requests
from physlm.measurement import by_text
from physlm.measuring import Subject, draw_missing, measured, measured_anew, unmeasured
from physlm.models.language_model import LanguageModel
from physlm.outcome import Outcome, as_before, earlier_record
from physlm.preparation import Prepared, build_world, prepare
from physlm.provenance import facts_of, software
from physlm.record import RunDirectory, RunRecord, write_text
from physlm.sources import files_of, sha256
from physlm.train.fit import Trained, fit, saved_steps
from physlm.train.module import Progress
from physlm.train.runtime import RuntimeConfig, is_main_process
from physlm.train.tracking import build_loggers, close, report
from physlm.watching import harmless
from physlm.weights import Weights, keep_weights


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
        if config.force or not directory.record.exists():
            _train(config, directory, _started(config, prepare(config)), loggers=[])
        return None
    with directory.locked(waits=waits):
        done = finished_before(config, directory)
        if done is not None:
            return done
        prepared = prepare(config)
        is_replaced = directory.record.exists()
        first_step = 0 if is_replaced else saved_steps(directory.checkpoint, prepared.origin)
        prepared = _started(config, prepared)
        if is_replaced:
            directory.clear()
        return _run(config, directory, prepared, first_step)


def finished_before(config: RunConfig, directory: RunDirectory) -> Outcome | None:
    """What there is of a run that was trained before, of which the rest is measured and drawn now.

    None if it is to be trained.

    Raises:
        InputError: If its record or its weights are damaged, or of another run.
        UnmeasuredError: If it is to be measured again and a scorer fails; the record stays.
    """
    record = earlier_record(config, directory)
    if record is None:
        return None
    if record.status != "diverged":
        if config.rescore or unmeasured(config, record):
            return _measured_again(config, directory, record)
        draw_missing(config, record, directory)
    return as_before(config, record, directory)


def _measured_again(config: RunConfig, directory: RunDirectory, record: RunRecord) -> Outcome:
    """A trained run with what was missing, or with everything anew; then the old stays on failure.

    Raises:
        UnmeasuredError: If a scorer fails where everything was to be measured anew.
    """
    subject = _subject(config, record, directory)
    record = replace(record, scoring_software=software(config))
    if config.rescore:
        record = measured_anew(config, record, subject, directory)
    else:
        record = measured(config, record, subject, unmeasured(config, record), directory)
    loggers = _loggers(config, directory, record.steps)
    try:
        return _shown(config, directory, record, loggers)
    finally:
        close(loggers)


def _subject(config: RunConfig, record: RunRecord, directory: RunDirectory) -> Subject:
    """The trained model of a run, as it was kept, and its corpus."""
    device, corpus, model = build_world(config)
    _require_corpus(record, corpus, directory)
    if config.stage is Stage.train:
        path = directory.vouched(directory.model, record)
        model = kept_model(config, corpus.vocabulary.size, Weights(path, record.origin))
    else:
        model = finished_model(config, _with_start(config, model, corpus))
    return model.to(device).eval(), corpus


def _started(config: RunConfig, prepared: Prepared) -> Prepared:
    """With the weights of the run to start from, if there is one."""
    return replace(prepared, model=_with_start(config, prepared.model, prepared.corpus))


def _with_start(config: RunConfig, model: LanguageModel, corpus: Corpus) -> LanguageModel:
    if config.parent is None:
        return model
    weights = _weights(config.parent, config.runtime)
    return model_of(config, corpus.vocabulary.size, weights=weights)


def _weights(parent: Parent, runtime: RuntimeConfig) -> Weights:
    """The weights of a run to start from, which is carried out now if it is not there.

    Raises:
        InputError: If it diverged, was made by other code, its weights have changed, or it would
            have to be made by several devices.
    """
    directory = RunDirectory(parent.run_dir)
    record = directory.read_record(parent.config.run_id)
    if record is None:
        if runtime.n_devices * runtime.n_nodes > 1:
            raise InputError(
                f"init_from: {parent.config.name} has not been run; run it first, several "
                "devices cannot run one after the other"
            )
        outcome = execute(parent.config, directory, waits=True)
        assert outcome is not None
        record = outcome.record
    if record.status == "diverged":
        raise InputError(f"{directory.path}, the run to start from, {record.status}")
    with refused_values():
        _require_corpus(record, corpus_of(parent.config), directory)
    return Weights(directory.vouched(directory.model, record), record.origin)


def _require_corpus(record: RunRecord, corpus: Corpus, directory: RunDirectory) -> None:
    if corpus.fingerprint() != record.origin.corpus:
        raise InputError(f"{directory.path} was trained on another corpus; run it again")


def _run(
    config: RunConfig, directory: RunDirectory, prepared: Prepared, first_step: int
) -> Outcome:
    loggers = opened(config, directory, first_step)
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
    return _loggers(config, directory, first_step)


def _loggers(config: RunConfig, directory: RunDirectory, first_step: int) -> list[Any]:
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
    """Keep and score what training came to, alone or as a replica.

    The record is written as soon as weights are kept, and again after each scorer: what is there
    is never computed twice, however the process ends.
    """
    record = RunRecord(
        **facts_of(config, prepared.model, prepared.device, is_compiled=prepared.is_compiled),
        **_counts(trained.progress, prepared),
        status="trained" if trained.diverged_at is None else "diverged",
        stopped_at_step=trained.diverged_at,
        n_replicas=n_replicas,
        metrics=(),
    )
    if record.status == "diverged":
        directory.write_record(record)
        return _drawn(config, directory, record)
    model = finished_model(config, trained.model).to(prepared.device).eval()
    if config.stage is Stage.train:
        keep_weights(model, directory.model, prepared.origin)
        record = replace(record, sha256={directory.model.name: sha256(directory.model)})
    subject = model, prepared.corpus
    record = measured(config, record, subject, list(config.eval), directory)
    return _shown(config, directory, record, loggers)


def _shown(
    config: RunConfig, directory: RunDirectory, record: RunRecord, loggers: list[Any]
) -> Outcome:
    """What was measured, where it is looked at: with the loggers, and drawn anew."""
    values = {text: metric.value for text, metric in by_text(record.metrics).items()}
    if values:
        with harmless(f"logging what {directory.path} measured"):
            report(loggers, values, record.steps)
    return _drawn(config, directory, record)


def _drawn(config: RunConfig, directory: RunDirectory, record: RunRecord) -> Outcome:
    with harmless(f"removing old figures of {directory.path}"):
        directory.forget_figures()
    draw_missing(config, record, directory)
    return Outcome(record, directory.record, was_done=False)


def _train(
    config: RunConfig, directory: RunDirectory, prepared: Prepared, loggers: list[Any]
) -> Trained:
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
    return {text: metric.value for text, metric in by_text(found).items()}


def _counts(done: Progress, prepared: Prepared) -> dict[str, Any]:
    """What was trained on, and what training counted."""
    corpus = prepared.corpus
    return {
        "corpus": {"fingerprint": prepared.origin.corpus, "entropy_bits": corpus.entropy_bits},
        "steps": done.steps,
        "tokens": done.tokens,
        "exposures": done.position.exposures(corpus.n_documents),
        "wall_seconds": done.seconds,
        "waiting_share": done.waiting_share,
        "tokens_per_second": done.tokens / done.seconds if done.seconds else 0.0,
    }
