"""One runs folder and many processes, dead owners, clocks that go back, and orphans."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.attempts import Attempt, Command, attempt
from tests.faults.counts import Counts
from tests.faults.kills import at_call, kill_by, stages_of
from tests.faults.reference import WORDS, Ended, completed, run_directory

N_PROCESSES = 20


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Two and twenty processes; then each of the other faults once."""
    counts = Counts("shared", 2 + N_PROCESSES + 6)
    whole, stages = stages_of(folder / "whole")
    middle = next((a + b) // 2 for name, a, b in stages if name == "training")
    for n in (2, max(2, round(size * N_PROCESSES))):
        _together(counts, folder / f"{n} processes", n, whole)
    one = _One(counts, whole, middle)
    one.dead_owner(folder / "dead owner")
    one.clock_set_back(folder / "clock")
    one.clock_of_files(folder / "files")
    one.other_threads(folder / "threads")
    _orphans(counts, folder / "orphans", signal.SIGKILL)
    _orphans(counts, folder / "orphans asked to stop", signal.SIGTERM)
    return counts


def _together(counts: Counts, folder: Path, n: int, whole: Ended) -> None:
    """One command many times at once: each finishes the run, finds it finished, or in use."""
    commands = [Command(WORDS, folder) for _ in range(n)]
    ends = [command.end() for command in commands]
    for done in ends:
        is_in_use = done.status == 2 and "is in use by another process" in done.err
        outcome = "refused" if is_in_use and done.is_one_line else done.outcome
        is_bad = outcome not in {"survived", "refused"} or (outcome == "refused" and not is_in_use)
        counts.note(f"one of {n} processes: {done.words}" if is_bad else outcome, done.seconds)
    if all(done.status for done in ends):
        counts.violations.append(f"none of {n} processes has finished the run")
    if wrong := completed(folder, whole):
        counts.violations.append(f"after {n} processes: {wrong}")


class _One:
    """Faults of a run that was interrupted in the middle of training."""

    def __init__(self, counts: Counts, whole: Ended, middle: int) -> None:
        self.counts, self.whole, self.middle = counts, whole, middle

    def dead_owner(self, folder: Path) -> None:
        """The lock of a killed process is free."""
        self._interrupted(folder)
        self._note("a lock whose owner died", folder)

    def clock_set_back(self, folder: Path) -> None:
        """The clock of the machine is set back by a year in the middle of the run."""
        self._interrupted(folder)

        def set_back() -> None:
            now, n_calls = time.time, 0

            def earlier() -> float:
                nonlocal n_calls
                n_calls += 1
                return now() - (3e7 if n_calls > 5 else 0)

            time.time = earlier

        done = attempt(WORDS, folder, before=set_back)
        self._note("a clock that is set back", folder, done)

    def clock_of_files(self, folder: Path) -> None:
        """All files of the run are from the future."""
        self._interrupted(folder)
        for path in folder.rglob("*"):
            os.utime(path, (time.time() + 3e7,) * 2)
        self._note("files of the future", folder)

    def other_threads(self, folder: Path) -> None:
        """Resumed with another number of threads, whose sums may have another order."""
        self._interrupted(folder)
        words = (*(word for word in WORDS if "n_threads" not in word), "runtime.n_threads=2")
        done = attempt(words, folder)
        path = run_directory(folder)
        assert path is not None
        is_close = done.status == 0 and all(
            abs(a.value - b.value) <= 1e-4 * abs(b.value) + 1e-6
            for a, b in zip(Ended.of(path).record.metrics, self.whole.record.metrics, strict=True)
        )
        self.counts.note("survived" if is_close else f"other threads: {done.words}", done.seconds)

    def _interrupted(self, folder: Path) -> None:
        attempt(WORDS, folder, before=at_call(self.middle, kill_by(signal.SIGKILL)))

    def _note(self, what: str, folder: Path, done: Attempt | None = None) -> None:
        wrong = "" if done is None or not done.status else done.words
        wrong = wrong or completed(folder, self.whole)
        self.counts.note(f"{what}: {wrong}" if wrong else "survived", done.seconds if done else 0)


def _orphans(counts: Counts, folder: Path, number: int) -> None:
    """The command of several seeds is killed: its processes end, and the same command goes on."""
    words = [word for word in WORDS if not word.startswith("data.exposures")]
    words += ["data.exposures=3000", "seeds=2"]  # minutes of training
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "physlm.run", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    while process.poll() is None and len(list(folder.glob("runs/*/last.ckpt"))) < 2:
        time.sleep(0.1)
    process.send_signal(number)
    began = time.monotonic()
    process.wait()
    seconds = _seconds_until_free(folder, began)
    process.stderr.close()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    name = signal.Signals(number).name
    is_over = seconds < 60
    counts.note(
        "survived" if is_over else f"{name} of the parent: its processes train on for a minute",
        seconds,
    )


def _seconds_until_free(folder: Path, began: float) -> float:
    from physlm.run_directory import RunDirectory

    paths = [path.parent for path in folder.glob("runs/*/config.yaml")]
    while time.monotonic() - began < 60 and any(RunDirectory(p).is_in_use() for p in paths):
        time.sleep(0.1)
    return time.monotonic() - began
