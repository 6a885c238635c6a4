"""Runs in parallel, in processes that each complete one after the other."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import track

from physlm.config import RunConfig, register
from physlm.early_end import ASKED_TO_STOP, INTERRUPTED, is_postponed
from physlm.errors import InterruptedRunError, KilledProcessError, RunInUseError
from physlm.fork_server import begin_loading, process_context
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
    begin_loading()
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
    with _workers(min(n_workers, len(waiting))) as workers:
        while waiting or in_use:
            if not waiting:
                free = first_free(in_use.values())
                waiting.extend(by_id[run_id] for run_id, path in in_use.items() if path in free)
                in_use = {run_id: path for run_id, path in in_use.items() if path not in free}
            ends = track(
                _as_completed(workers, waiting),
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


class _Worker:
    """A process that completes one run after the other, and is replaced if it was killed."""

    def __init__(self) -> None:
        self._process = self._started()

    def submit(self, point: RunConfig) -> Future[Outcome | None]:
        """Let it complete a run; it must have ended the one before."""
        try:
            return self._process.submit(_execute, point)
        except BrokenProcessPool:
            self._process = self._started()
            return self._process.submit(_execute, point)

    def close(self) -> None:
        """Wait for its run, and end it."""
        self._process.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # A pool of one: of a larger one, all processes end with the one that was killed.
        return ProcessPoolExecutor(
            1, mp_context=process_context(), initializer=_begin, initargs=(dict(os.environ),)
        )


def _as_completed(
    workers: Sequence[_Worker], waiting: deque[RunConfig]
) -> Iterator[tuple[str, Future[Outcome | None]]]:
    """Runs by id as they end; none waits in a process, where it would begin after a stop."""
    free = deque(workers)
    running: dict[Future[Outcome | None], tuple[str, _Worker]] = {}
    while waiting or running:
        while waiting and free:
            worker, point = free.popleft(), waiting.popleft()
            running[worker.submit(point)] = point.run_id, worker
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            run_id, worker = running.pop(future)
            free.append(worker)
            yield run_id, future


def _execute(point: RunConfig) -> Outcome | None:
    is_distributed = point.runtime.n_devices * point.runtime.n_nodes > 1
    try:
        return execute(point, RunDirectory(point.run_dir), waits=is_distributed)
    finally:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():  # nobody takes the outcome
            os._exit(INTERRUPTED)


def _begin(environment: Mapping[str, str]) -> None:
    """Set up a new process, which does not run the main module of the first one.

    Args:
        environment: Of the first process, which may have changed since libraries were loaded.
    """
    os.environ.clear()
    os.environ.update(environment)
    outlive_readers()
    register()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ask this process to stop when the first one has ended, however: its run is saved first.

    It would train on, and keep its run from the same command.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _workers(n_workers: int) -> Iterator[list[_Worker]]:
    """Processes that are asked to stop, and then save their state, when this one is."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    # Children inherit the name of the start method, and do not know the one of joblib.
    start_method = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method("spawn", force=True)
    workers = [_Worker() for _ in range(n_workers)]
    try:
        yield workers
    except KeyboardInterrupt as error:
        for child in multiprocessing.active_children():
            child.terminate()
        for worker in workers:
            worker.close()
        raise InterruptedRunError(ASKED_TO_STOP) from error
    finally:
        signal.signal(signal.SIGTERM, before)
        for worker in workers:
            worker.close()
        multiprocessing.set_start_method(start_method, force=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not is_postponed(number, frame):
        raise KeyboardInterrupt
