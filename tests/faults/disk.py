"""Disks that are full, folders that may only be read, belong to others, or vanish."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.attempts import attempt
from tests.faults.counts import Counts
from tests.faults.kills import at_call, kill_by, stages_of
from tests.faults.reference import WORDS, Ended, completed, run_directory

N_FULL, N_VANISHED = 40, 10
NOBODY = 65534
_PAGE = 4096


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """A disk of every size, then folders of every kind."""
    drawn = random.Random(seed)
    counts = Counts("disk", N_FULL + N_VANISHED + 6)
    whole, stages = stages_of(folder / "whole")
    _full(counts, folder, whole, max(3, round(size * N_FULL)))
    for i in range(max(1, round(size * N_VANISHED))):
        call = drawn.randint(stages[2][1], stages[-1][2])
        _vanished(counts, folder / f"vanished {i}", whole, call)
    _read_only(counts, folder, whole)
    return counts


def _full(counts: Counts, folder: Path, whole: Ended, n: int) -> None:
    """Disks of n sizes, from one that is too small for anything to one that is large enough."""
    if os.getuid() or sys.platform != "linux":
        counts.notes.append("full disks were left out: only root of Linux can mount one")
        return
    room = sum(path.stat().st_size for path in run_directory(folder / "whole").rglob("*"))
    pages = 2 * room // _PAGE + 40  # while a file is replaced, both versions take room
    for i in range(n):
        n_pages = 2 + i * pages // n
        with _disk(folder / "disk", n_pages * _PAGE) as (disk, enlarge):
            done = attempt(WORDS, disk)
            outcome = done.outcome
            is_told = "free space on that disk" in done.err or "cannot be written" in done.err
            if outcome == "refused" and not is_told:
                outcome = done.words
            if done.status == 0 and "continues without it" in done.err:
                outcome = "survived"  # a curve or figure is lost, and reported
            enlarge()
            path = run_directory(disk)
            is_done = path is not None and (path / "record.json").exists() and done.status == 0
            wrong = "" if is_done and done.err else completed(disk, whole)
            if wrong and outcome in {"survived", "refused"}:
                outcome = f"after {done.words}: {wrong}"
            is_bad = outcome not in {"survived", "refused"}
            counts.note(
                f"a disk of {n_pages} pages: {outcome}" if is_bad else outcome, done.seconds
            )


@contextmanager
def _disk(path: Path, n_bytes: int) -> Iterator[tuple[Path, object]]:
    """A disk of this size, and a function that enlarges it."""
    path.mkdir(parents=True, exist_ok=True)
    options = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*options, f"size={n_bytes}", "tmpfs", path], check=True)
    try:
        yield (path, lambda: subprocess.run(["mount", "-o", "remount,size=256m", path], check=True))
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def _vanished(counts: Counts, folder: Path, whole: Ended, call: int) -> None:
    """The runs folder is removed in the middle of a run."""

    def remove() -> None:
        shutil.rmtree(folder / "runs", ignore_errors=True)

    done = attempt(WORDS, folder, before=at_call(call, remove))
    is_ended = done.status in {0, 2} and "Traceback" not in done.err and "fault" not in done.err
    outcome = "survived" if is_ended else done.words
    if is_ended and done.status:
        outcome = done.outcome
    shutil.rmtree(folder / "runs", ignore_errors=True)
    if wrong := completed(folder, whole):
        outcome = f"the same command afterwards: {wrong}"
    is_bad = outcome not in {"survived", "refused"}
    counts.note(f"vanished at call {call}: {outcome}" if is_bad else outcome, done.seconds)


def _read_only(counts: Counts, folder: Path, whole: Ended) -> None:
    """Folders that another user owns, and may be read."""
    if os.getuid():
        counts.notes.append("folders of others were left out: only root becomes another user")
        return

    def become_nobody() -> None:
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    _open_to_all(folder)
    finished, begun, empty = folder / "whole", folder / "begun", folder / "empty"
    attempt(WORDS, begun, before=at_call(_middle(folder), kill_by(signal.SIGKILL)))
    empty.mkdir()
    (run_directory(finished) / "figure.png").rename(folder / "figure.png")
    for what, where, is_shown in (
        ("a finished run without its figure", finished, True),
        ("an interrupted run", begun, False),
        ("an empty folder", empty, False),
    ):
        done = attempt(WORDS, where, before=become_nobody)
        wanted = "survived" if is_shown else "refused"
        is_right = done.outcome == wanted and (not is_shown or not done.err)
        counts.note(wanted if is_right else f"{what} of another user: {done.words}", done.seconds)
    (folder / "figure.png").rename(run_directory(finished) / "figure.png")
    if wrong := completed(begun, whole):
        counts.violations.append(f"an interrupted run that another user tried: {wrong}")
    for what, words in (
        ("a file as folder", ("runs_dir=/dev/null/runs",)),
        ("a folder of the system", ("runs_dir=/proc/1/runs",)),
    ):
        done = attempt((*WORDS, *words), empty)
        is_right = done.outcome == "refused"
        counts.note("refused" if is_right else f"{what}: {done.words}", done.seconds)
    done = attempt(WORDS, finished, before=become_nobody)
    is_right = done.status == 0 and not done.err
    counts.note("survived" if is_right else f"a finished run: {done.words}", done.seconds)


def _middle(folder: Path) -> int:
    _, stages = stages_of(folder / "again")
    return next((first + last) // 2 for name, first, last in stages if name == "training")


def _open_to_all(folder: Path) -> None:
    """Let others enter the campaign's folder, which is private at first."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
        if path.parent == Path("/"):
            break
