"""One experiment with many seeds or learning rates: in one program, or in a process each."""

import hashlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from physlm.config import RunConfig
from physlm.errors import InputError, InterruptedRunError
from physlm.models.decoder import DecoderConfig
from physlm.pipeline import Outcome, Prepared, execute, finish, opened, prepare
from physlm.record import RunDirectory
from physlm.train.module import Precision
from physlm.train.replicas import Replica, fit_replicas, saved_replicas
from physlm.train.tracking import close


@dataclass(frozen=True, slots=True)
class Replication:
    """What became of the points.

    Attributes:
        outcomes: Of those that came to an end.
        errors: Of the others, by run id.
        directory: For what is drawn of all.
    """

    outcomes: list[Outcome]
    errors: dict[str, BaseException]
    directory: Path


def replicate(config: RunConfig, register: Callable[[], None]) -> Replication:
    """Carry out all points of a configuration, each with a record of its own.

    Args:
        config: With ``seeds`` above 1, or ``learning_rates``.
        register: What makes configuration files known in a new process.

    Raises:
        InputError: If replicas are asked for and cannot be, before anything is trained.
        InterruptedRunError: If the process was asked to stop; what was done is kept.
    """
    points = config.points
    directory = Path(config.runs_dir) / "replicates" / _name(points)
    fault = _why_not_side_by_side(points[0])
    if config.runtime.replicas and fault:
        raise InputError(f"runtime.replicas=true: {fault}")
    is_wanted = config.runtime.replicas
    if is_wanted is None:
        is_wanted = config.runtime.resolved_device() == "cuda"
    if is_wanted and fault is None:
        return Replication(_side_by_side(points, directory), {}, directory)
    outcomes, errors = _in_processes(points, register)
    return Replication(outcomes, errors, directory)


def _name(points: Sequence[RunConfig]) -> str:
    digest = hashlib.sha256(" ".join(sorted(point.run_id for point in points)).encode())
    return f"{points[0].name}-{digest.hexdigest()[:8]}"


def _why_not_side_by_side(point: RunConfig) -> str | None:
    """What keeps these runs from being replicas, if anything."""
    runtime = point.runtime
    faults = {
        "it starts from another run": bool(point.init_from),
        "only decoders can be replicas": not isinstance(point.model, DecoderConfig),
        "nothing is trained": point.data.exposures == 0,
        "several devices": runtime.n_devices * runtime.n_nodes > 1,
        "trainer.precision=fp16 needs a gradient scaler; use bf16 or fp32":
            point.trainer.precision is Precision.fp16,
        f"trainer.n_accumulate={point.trainer.n_accumulate}; use 1":
            point.trainer.n_accumulate > 1,
        f"runtime.n_measurements={runtime.n_measurements}; use 0": runtime.n_measurements > 0,
    }  # fmt: skip
    return next((fault for fault, holds in faults.items() if holds), None)


def _side_by_side(points: Sequence[RunConfig], directory: Path) -> list[Outcome]:
    """All unfinished points in one program."""
    checkpoint = directory / "last.ckpt"
    saved = saved_replicas(checkpoint)
    with ExitStack() as stack:
        for point in points:
            stack.enter_context(RunDirectory(point.run_dir).locked())
        outcomes = {point.run_id: done for point in points if (done := _finished(point))}
        todo = [p for p in points if p.run_id not in outcomes or p.run_id in saved]
        if len(outcomes) < len(points):
            for outcome in _trained_together(todo, checkpoint, saved):
                outcomes.setdefault(outcome.record.run_id, outcome)
        checkpoint.unlink(missing_ok=True)
    return [outcomes[point.run_id] for point in points]


def _finished(point: RunConfig) -> Outcome | None:
    directory = RunDirectory(point.run_dir)
    record = None if point.force else directory.read_record()
    return None if record is None else Outcome(record, directory.record, was_done=True)


def _trained_together(
    points: Sequence[RunConfig], checkpoint: Path, saved: Mapping[str, int]
) -> Iterator[Outcome]:
    """Outcomes of points that are trained as replicas."""
    prepared = [replace(prepare(point), is_compiled=False) for point in points]
    _require_alike(points, prepared)
    for point in points:
        directory = RunDirectory(point.run_dir)
        if directory.record.exists() and not saved:
            directory.clear()
    with ExitStack() as stack:
        replicas = []
        for point, made in zip(points, prepared, strict=True):
            loggers = opened(point, RunDirectory(point.run_dir), saved.get(point.run_id, 0))
            stack.callback(close, loggers)
            replicas.append(Replica(run_id=point.run_id, model=made.model, batches=made.batches,
                                    optim=point.optim, loggers=loggers))  # fmt: skip
        trained = fit_replicas(
            replicas, trainer=points[0].trainer, device=prepared[0].device,
            attention_across_documents=points[0].data.attention_across_documents,
            checkpoint=checkpoint, checkpoint_seconds=points[0].runtime.checkpoint_seconds,
        )  # fmt: skip
        for point, made, replica, done in zip(points, prepared, replicas, trained, strict=True):
            directory = RunDirectory(point.run_dir)
            yield finish(point, directory, made, done, replica.loggers, n_replicas=len(points))


def _require_alike(points: Sequence[RunConfig], prepared: Sequence[Prepared]) -> None:
    """Weights of all points have the same shapes."""
    shapes = [
        {name: tuple(p.shape) for name, p in made.model.named_parameters()} for made in prepared
    ]
    for point, own in zip(points, shapes, strict=True):
        if own != shapes[0]:
            raise InputError(
                f"runtime.replicas=true: seed {point.seed} has other shapes of weights than seed "
                f"{points[0].seed}, as its world has other tokens; use runtime.replicas=false"
            )


def _in_processes(
    points: Sequence[RunConfig], register: Callable[[], None]
) -> tuple[list[Outcome], dict[str, BaseException]]:
    """Each point by itself, on a GPU one after the other, else one for each core at a time."""
    if not all(_finished(point) for point in points):
        prepare(points[0])  # what can be refused is refused once, not by every process
    runtime = points[0].runtime
    is_on_gpu = runtime.resolved_device() == "cuda"
    n_threads = runtime.n_threads or 1
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n_workers = 1 if is_on_gpu else max(1, (n_cores or 1) // n_threads)
    quiet = replace(runtime, progress_bar=False, n_threads=n_threads)
    outcomes, errors = {}, {}
    console = Console(stderr=True)
    todo = [replace(point, runtime=quiet) for point in points]
    with _pool(min(n_workers, len(points)), register) as pool:
        done = track(_as_completed(pool, todo, n_workers), f"{len(points)} runs",
                     total=len(points), console=console, transient=True,
                     disable=not console.is_terminal)  # fmt: skip
        for run_id, future in done:
            error = future.exception()
            if error is not None:
                errors[run_id] = error
            elif (outcome := future.result()) is not None:
                outcomes[run_id] = outcome
    return [outcomes[p.run_id] for p in points if p.run_id in outcomes], errors


def _as_completed(
    pool: ProcessPoolExecutor, points: Sequence[RunConfig], n_workers: int
) -> Iterator[tuple[str, Future[Outcome | None]]]:
    """Runs by id as they end; none waits in a process, where it would begin after a stop."""
    waiting = iter(points)
    running = {pool.submit(_execute, p): p.run_id for p in itertools.islice(waiting, n_workers)}
    while running:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future
            running |= {pool.submit(_execute, p): p.run_id for p in itertools.islice(waiting, 1)}


def _execute(point: RunConfig) -> Outcome | None:
    return execute(point, RunDirectory(point.run_dir))


@contextmanager
def _pool(n_workers: int, register: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """Processes that are asked to stop, and then save their state, when this one is."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    pool = ProcessPoolExecutor(
        n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=register
    )
    try:
        yield pool
    except KeyboardInterrupt as error:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(cancel_futures=True)
        raise InterruptedRunError("asked to stop; run the same command to go on") from error
    finally:
        signal.signal(signal.SIGTERM, before)
        pool.shutdown(cancel_futures=True)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
