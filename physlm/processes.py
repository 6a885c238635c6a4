"""Runs in parallel, each in a process of its own."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from physlm.config import RunConfig, register
from physlm.errors import InterruptedRunError, KilledProcessError, RunInUseError
from physlm.outcome import Outcome
from physlm.pipeline import execute
from physlm.preparation import prepare
from physlm.run_directory import RunDirectory, first_free
from physlm.train.cpu import n_cores
from physlm.train.runtime import RuntimeConfig
from physlm.watching import outlive_readers


def in_processes(
    points: Sequence[RunConfig],
) -> tuple[dict[str, Outcome], dict[str, BaseException]]:
    """Complete each point in a process: one at a time on a GPU, else one per core.

    Points that other processes work on come last, so that copies of one command share the work.

    Returns:
        The outcomes of the runs that ended, and the errors of the others, by run id.

    Raises:
        InputError: If the configuration is refused.
        InterruptedRunError: If this process was asked to stop; finished work is kept.
    """
    if points[0].force or not all(RunDirectory(p.run_dir).record.exists() for p in points):
        prepare(points[0])  # a bad value is refused once, not in every process
    runtime = points[0].runtime
    n_threads = runtime.n_threads or 1
    n_workers = _n_workers(runtime, n_threads)
    quiet = replace(runtime, progress_bar=False, n_threads=n_threads, n_cores=runtime.n_cores or 1)
    outcomes: dict[str, Outcome] = {}
    errors: dict[str, BaseException] = {}
    console = Console(stderr=True)
    waiting = deque(replace(point, runtime=quiet) for point in points)
    by_id = {point.run_id: point for point in waiting}
    in_use: dict[str, Path] = {}  # of other processes, by run id
    while waiting or in_use:  # a killed process breaks the pool; the rest needs a new one
        if not waiting:
            free = first_free(in_use.values())
            waiting.extend(by_id[run_id] for run_id, path in in_use.items() if path in free)
            in_use = {run_id: path for run_id, path in in_use.items() if path not in free}
        with _pool(min(n_workers, len(waiting))) as pool:
            ends = track(
                _as_completed(pool, waiting, n_workers),
                f"{len(waiting)} runs",
                total=len(waiting),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
            for run_id, future in ends:
                error = future.exception()
                if isinstance(error, RunInUseError):
                    in_use[run_id] = error.path
                elif error is not None:
                    was_killed = isinstance(error, BrokenProcessPool)
                    errors[run_id] = KilledProcessError() if was_killed else error
                elif (outcome := future.result()) is not None:
                    outcomes[run_id] = outcome
    return outcomes, errors


def _n_workers(runtime: RuntimeConfig, n_threads: int) -> int:
    """How many points run at a time.

    One where they share a GPU, or where each needs all processes of a distributed run.
    """
    is_alone = runtime.n_devices * runtime.n_nodes == 1
    if runtime.resolved_device() == "cuda" or not is_alone:
        return 1
    return max(1, n_cores() // n_threads)


def _as_completed(
    pool: ProcessPoolExecutor, waiting: deque[RunConfig], n_workers: int
) -> Iterator[tuple[str, Future[Outcome | None]]]:
    """Runs by id as they end; none waits in a process, where it would begin after a stop."""
    running: dict[Future[Outcome | None], str] = {}
    while True:
        with suppress(BrokenProcessPool):  # a broken pool takes no more runs; they keep waiting
            while waiting and len(running) < n_workers:
                running[pool.submit(_execute, waiting[0])] = waiting[0].run_id
                waiting.popleft()
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future


def _execute(point: RunConfig) -> Outcome | None:
    is_distributed = point.runtime.n_devices * point.runtime.n_nodes > 1
    return execute(point, RunDirectory(point.run_dir), waits=is_distributed)


def _begin() -> None:
    """Set up a new process, which does not run the main module of the first one."""
    outlive_readers()
    register()


@contextmanager
def _pool(n_workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are asked to stop, and then save their state, when this one is."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    # Children inherit the name of the start method, and do not know the one of joblib.
    start_method = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method("spawn", force=True)
    pool = ProcessPoolExecutor(
        n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
    )
    try:
        yield pool
    except KeyboardInterrupt as error:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(cancel_futures=True)
        raise InterruptedRunError("asked to stop; run the same command to resume") from error
    finally:
        signal.signal(signal.SIGTERM, before)
        pool.shutdown(cancel_futures=True)
        multiprocessing.set_start_method(start_method, force=True)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
