"""A rank of a distributed run that dies: the others end, and the same command resumes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.counts import Counts
from tests.faults.reference import WORDS

N_DEATHS = 4
MOST_SECONDS = 60.0

# Enough training to be killed in, and a checkpoint every second.
RANKS = (
    *(w for w in WORDS if not w.startswith(("data.exposures", "runtime.checkpoint"))),
    "data.exposures=400",
    "runtime.checkpoint_seconds=0.5",
    "runtime.n_devices=2",
    "runtime.device=cpu",
)


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Kill the first and the second rank, in turn."""
    counts = Counts("ranks", N_DEATHS)
    for i in range(max(1, round(size * N_DEATHS))):
        _killed(counts, folder / str(i), is_first=i % 2 == 1)
    return counts


def _killed(counts: Counts, folder: Path, *, is_first: bool) -> None:
    what = "the first rank is killed" if is_first else "the second rank is killed"
    process = _begun(folder)
    while process.poll() is None and not list(folder.glob("runs/*/last.ckpt")):
        time.sleep(0.1)
    children = _children(process.pid)
    if process.poll() is not None or not children:
        counts.note(f"{what}: it ended too early: {process.communicate()[1][-300:]}")
        return
    os.kill(process.pid if is_first else children[0], signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < MOST_SECONDS + 30 and _group(process):
        time.sleep(0.1)
    seconds = time.monotonic() - began
    left = _group(process)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    err = process.communicate()[1]
    n_lines = len(err.splitlines())
    outcome = "survived"
    if left or seconds > MOST_SECONDS:
        outcome = f"{what}: the others go on"
    elif process.returncode == 0 or n_lines > 1 or "Traceback" in err:
        outcome = f"{what}: status {process.returncode}, {n_lines} lines: {err[:300]}"
    else:
        again = _begun(folder)
        err = again.communicate()[1]
        if again.returncode or err:
            outcome = f"{what}: the same command again: {again.returncode}: {err[:300]}"
    counts.note(outcome, seconds)


def _begun(folder: Path) -> "subprocess.Popen[str]":
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "physlm.run", *RANKS],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def _group(process: "subprocess.Popen[str]") -> bool:
    """Whether a process of the group is left that has not ended."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
