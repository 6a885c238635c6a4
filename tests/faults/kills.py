"""Kills at random moments: the end is that of a run which nobody kills, to the bit.

A moment is a number of calls that Python has made, so that it does not depend on the speed of the
machine. Moments are drawn evenly over the stages of a run, and evenly within a stage.
"""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from physlm.early_end import INTERRUPTED
from tests.faults.attempts import Attempt, attempt
from tests.faults.counts import Counts
from tests.faults.reference import WORDS, Ended, completed, run_directory

N_KILLS = 100
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

# The first call of each function begins a stage.
STAGES = {
    "run_config": "composing",
    "build_world": "building the world",
    "fit": "training",
    "keep": "writing weights",
    "measured": "scoring and recording",
    "draw": "drawing",
    "Tracking.end": "ending",
}

Act = Callable[[], None]


def counting(path: Path) -> Act:
    """Count the calls of a run, and write at its end which of them begin a stage."""
    marks, n_calls = {"start": 0}, 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal n_calls
        n_calls += 1
        code = frame.f_code
        if event == "call" and code.co_qualname in STAGES and "physlm" in code.co_filename:
            marks.setdefault(STAGES[code.co_qualname], n_calls)
        if event == "call" and code.co_qualname == "show" and "physlm" in code.co_filename:
            path.write_text(json.dumps([*marks.items(), ("end", n_calls)]))

    return lambda: sys.setprofile(count)


def at_call(number: int, act: Act) -> Act:
    """Do something once Python has made so many calls."""
    n_calls = 0

    def count(*_: object) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == number:
            sys.setprofile(None)
            act()

    return lambda: sys.setprofile(count)


def kill_by(number: int) -> Act:
    return lambda: os.kill(os.getpid(), number)


def stages_of(folder: Path) -> tuple[Ended, list[tuple[str, int, int]]]:
    """The run that nobody kills, and its stages with their first and last calls."""
    marks = folder / "marks.json"
    done = attempt(WORDS, folder, before=counting(marks))
    assert done.status == 0, done.words
    path = run_directory(folder)
    assert path is not None
    begins = json.loads(marks.read_text())
    return Ended.of(path), [
        (name, first, last) for (name, first), (_, last) in itertools.pairwise(begins)
    ]


def judged(done: Attempt, number: int, folder: Path, whole: Ended) -> str:
    """``survived``, or what is wrong with the killed command or with its completion."""
    path = run_directory(folder)
    is_finished = path is not None and (path / "record.json").exists()
    if done.status == INTERRUPTED and not done.is_one_line:
        return f"not one line: {done.words}"
    ends = {-signal.SIGKILL} if number == signal.SIGKILL else {INTERRUPTED}
    if done.status not in ends and not (done.status == 0 and is_finished):
        return done.words
    return completed(folder, whole) or "survived"


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Kill a run at random moments, each time in a folder of its own."""
    counts, drawn = Counts("kills", N_KILLS), random.Random(seed)
    whole, stages = stages_of(folder / "whole")
    n = max(1, round(size * N_KILLS))
    n_loading = max(1, n // 20)
    for i in range(n - n_loading):
        name, first, last = stages[i % len(stages)]
        number = SIGNALS[(i // len(stages)) % len(SIGNALS)]
        call = drawn.randint(first + 1, last)
        where = folder / str(i)
        done = attempt(WORDS, where, before=at_call(call, kill_by(number)))
        outcome = judged(done, number, where, whole)
        _note(counts, f"{signal.Signals(number).name} at call {call} ({name})", outcome, done)
        shutil.rmtree(where)
    for i in range(n_loading):
        _kill_while_loading(counts, SIGNALS[i % 2 + 1], drawn.uniform(0.05, 0.6))
    counts.notes.append(
        f"{n - n_loading} in {len(stages)} stages, {n_loading} while libraries are loaded; seconds "
        "are those of the killed command"
    )
    return counts


def _note(counts: Counts, what: str, outcome: str, done: Attempt) -> None:
    counts.note(outcome if outcome == "survived" else f"{what}: {outcome}", done.seconds)


def _kill_while_loading(counts: Counts, number: int, fraction: float) -> None:
    """Kill a new process while it loads libraries: one line, and status 130."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "physlm.run", "data.seq_len=-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Until Python runs our first line, a signal ends it as any program.
    while process.poll() is None and not _has_loaded(process.pid, "_signal", "yaml"):
        time.sleep(0.002)
    time.sleep(fraction)
    process.send_signal(number)
    err = process.communicate()[1]
    # It was faster than the signal, which Python no longer answers while it ends.
    is_refused = err.startswith("error: ") and process.returncode in {2, -number}
    is_right = process.returncode == INTERRUPTED
    outcome = (
        "survived"
        if (is_refused or is_right) and err.count("\n") == 1
        else f"{process.returncode}: {err[-300:]}"
    )
    counts.note(outcome, time.monotonic() - began)


def _has_loaded(pid: int, *names: str) -> bool:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return True
    return any(name in maps for name in names[1:])
