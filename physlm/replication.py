"""Several seeds or learning rates of one configuration: as replicas, or in a process each."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from physlm.config import RunConfig, Stage
from physlm.errors import InputError
from physlm.interruption import stop_requests
from physlm.models.architecture import DecoderConfig
from physlm.outcome import Outcome, Replication, replicates_directory
from physlm.pipeline import carry_out, finish, keep, tracking_of
from physlm.preparation import Prepared, prepare
from physlm.processes import in_processes
from physlm.run_directory import RunDirectory
from physlm.train.fit import Trained
from physlm.train.replicas import Replica, fit_replicas, saved_replicas
from physlm.train.tracking import Tracking
from physlm.train.trainer import Precision


@stop_requests(at_once=True)
def replicate(config: RunConfig) -> Replication:
    """Complete all points of a configuration, each a run with a record of its own.

    A point that another process works on is awaited.

    Args:
        config: With ``seeds`` above 1, or ``learning_rates``.

    Raises:
        InputError: If replicas are requested but not possible, before any training.
        InterruptedRunError: If the process was asked to stop; finished work is kept.
    """
    points = config.points
    directory = replicates_directory(config)
    lacking = _lacking_for_replicas(points[0])
    if config.runtime.replicas and lacking:
        raise InputError(
            f"runtime.replicas=true needs {lacking}; change that, or leave runtime.replicas out"
        )
    is_wanted = config.runtime.replicas
    if is_wanted is None:
        is_wanted = config.runtime.resolved_device() == "cuda"
    if is_wanted and lacking is None:
        try:
            return _side_by_side(points, directory)
        except UnlikeReplicasError:
            if config.runtime.replicas:
                raise
    outcomes, errors = in_processes(points)
    ended = [outcomes[p.run_id] for p in points if p.run_id in outcomes]
    return Replication(ended, errors, directory)


def _lacking_for_replicas(point: RunConfig) -> str | None:
    """A requirement of replicas that these runs do not meet, if any."""
    runtime, n_steps = point.runtime, point.trainer.gradient_accumulation_steps
    needs = {
        "runs without init_from": not point.init_from,
        "a decoder": isinstance(point.model, DecoderConfig),
        "stage=train": point.stage is Stage.train,
        "a single device": runtime.n_devices * runtime.n_nodes == 1,
        "trainer.precision=bf16 or fp32, not fp16": point.trainer.precision is not Precision.fp16,
        f"trainer.gradient_accumulation_steps=1, not {n_steps}": n_steps == 1,
        f"runtime.n_evaluations=0, not {runtime.n_evaluations}": runtime.n_evaluations == 0,
        "runtime.compile=false, not true": runtime.compile is not True,
        "runtime.kernels=false, not true": not runtime.kernels,
        "profile=false, not true": not point.profile,
    }
    return next((need for need, is_met in needs.items() if not is_met), None)


class UnlikeReplicasError(InputError):
    """Models whose weights have different shapes cannot be trained side by side."""


def _side_by_side(points: Sequence[RunConfig], folder: Path) -> Replication:
    """All unfinished points in one program."""
    checkpoint = folder / "last.ckpt"
    errors: dict[str, BaseException] = {}
    with ExitStack() as stack:
        # In one order everywhere, so that no two groups wait for each other.
        for point in sorted(points, key=lambda point: point.run_id):
            stack.enter_context(RunDirectory(point.run_dir).locked(waits=True))
        if all(RunDirectory(point.run_dir).record.exists() for point in points):
            checkpoint.unlink(
                missing_ok=True
            )  # the runs were finished otherwise since it was written
        saved = saved_replicas(checkpoint)
        outcomes = {}
        for point in points:
            directory = RunDirectory(point.run_dir)
            if directory.record.exists() and not point.force:
                with closing(tracking_of(point, directory)) as tracking:
                    outcomes[point.run_id] = carry_out(point, directory, tracking)
        group = [p for p in points if p.run_id not in outcomes or p.run_id in saved]
        if len(outcomes) < len(points):
            for point, end in _trained_together(group, checkpoint, saved, set(outcomes)):
                if isinstance(end, Outcome):
                    outcomes[point.run_id] = end
                else:
                    errors[point.run_id] = end
        if not errors:
            checkpoint.unlink(missing_ok=True)
    ended = [outcomes[point.run_id] for point in points if point.run_id in outcomes]
    return Replication(ended, errors, folder)


def _trained_together(
    points: Sequence[RunConfig], checkpoint: Path, saved: Mapping[str, int], finished: Set[str]
) -> Iterator[tuple[RunConfig, Outcome | Exception]]:
    """Train points as replicas, and yield the outcomes of those not finished before.

    Args:
        points: The points, in the order of their replicas.
        checkpoint: Their common checkpoint.
        saved: Steps already taken, by run id.
        finished: Run ids of points whose outcome is already known.
    """
    prepared = [replace(prepare(point), is_compiled=False) for point in points]
    _require_alike(points, prepared)
    with ExitStack() as stack:
        trackings = [
            stack.enter_context(closing(tracking_of(point, RunDirectory(point.run_dir))))
            for point in points
        ]
        for point, tracking in zip(points, trackings, strict=True):
            if point.run_id not in finished:
                _begin(point, tracking, saved.get(point.run_id, 0))
        replicas = [
            Replica(
                run_id=point.run_id,
                model=made.model,
                batches=made.batches,
                optim=point.optim,
                loggers=tracking.loggers,
            )
            for point, made, tracking in zip(points, prepared, trackings, strict=True)
        ]
        trained = fit_replicas(
            replicas,
            trainer=points[0].trainer,
            device=prepared[0].device,
            attention_across_documents=points[0].data.attention_across_documents,
            checkpoint=checkpoint,
            checkpoint_seconds=points[0].runtime.checkpoint_seconds,
        )
        for point, made, done, tracking in zip(points, prepared, trained, trackings, strict=True):
            if point.run_id not in finished:
                yield point, _ended(point, made, done, tracking, n_replicas=len(points))


def _begin(point: RunConfig, tracking: Tracking, first_step: int) -> None:
    directory = RunDirectory(point.run_dir)
    directory.begin(point, first_step=first_step)
    tracking.start(first_step)


def _ended(
    point: RunConfig, prepared: Prepared, trained: Trained, tracking: Tracking, *, n_replicas: int
) -> Outcome | Exception:
    """The outcome of a trained replica, or the error of measuring it.

    Args:
        point: Its configuration.
        prepared: Its corpus and model.
        trained: The result of training.
        tracking: Its loggers.
        n_replicas: Number of runs trained together in one program.
    """
    directory = RunDirectory(point.run_dir)
    try:
        record, subject = keep(point, directory, prepared, trained, n_replicas=n_replicas)
        return finish(point, directory, record, subject, tracking)
    except Exception as error:  # noqa: BLE001 - the other replicas can still be measured
        return error


def _require_alike(points: Sequence[RunConfig], prepared: Sequence[Prepared]) -> None:
    """Weights of all points have the same shapes."""
    shapes = [
        {name: tuple(p.shape) for name, p in made.model.named_parameters()} for made in prepared
    ]
    for point, own in zip(points, shapes, strict=True):
        if own != shapes[0]:
            raise UnlikeReplicasError(
                f"runtime.replicas=true: the weights of seed {point.seed} have other shapes than "
                f"those of seed {points[0].seed}, since its world has other tokens; use "
                "runtime.replicas=false"
            )
