"""A sweep of which some points are impossible or diverge, killed again and again."""

import random
import re
import resource
import signal
from pathlib import Path

from physlm.record import read_record
from tests.command_line import TINY_RUN
from tests.faults.attempts import Command
from tests.faults.counts import Counts

N_POINTS, N_KILLS = 1000, 10
N_RATES = 40  # of which one is impossible, and one diverges: 5%


def words_of(n_seeds: int) -> tuple[str, ...]:
    """A grid of learning rates and seeds."""
    rates = [f"{1e-3 * (1 + i / 100):.5g}" for i in range(N_RATES - 2)]
    return (
        *(word for word in TINY_RUN if not word.startswith("data.n_people")),
        "data.n_people=8",
        "trainer.batch_size=2",
        "runtime.n_threads=1",
        "runtime.compile=false",
        f"optim.learning_rate={','.join([*rates, '-1', '1e30'])}",
        "trainer.gradient_clip=null",
        f"seed=range({n_seeds})",
        "--multirun",
    )


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Kill the sweep ten times, then let it end, and count."""
    counts, drawn = Counts("sweep", N_POINTS), random.Random(seed)
    n_seeds = max(1, round(size * N_POINTS / N_RATES))
    words = words_of(n_seeds)
    for i in range(N_KILLS):
        before = len(_records(folder))
        command = Command(words, folder, before=_without_limit)
        _wait_for(folder, before + max(1, n_seeds * N_RATES // (2 * N_KILLS)), drawn)
        command.send((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[i % 3])
        done = command.end()
        if "Traceback" in done.err or done.status == 0:
            counts.violations.append(f"kill {i}: {done.words}")
    done = Command(words, folder, before=_without_limit).end()
    records = [read_record(path) for path in _records(folder)]
    finished = [record for record in records if record.status == "finished"]
    keys = {(r.config["seed"], r.config["optim"]["learning_rate"]) for r in finished}
    n_right = n_seeds * (N_RATES - 2)
    counts.survived = min(len(keys), n_right)
    if len(finished) != n_right or len(keys) != n_right:
        counts.violations.append(f"{len(finished)} finished records of {n_right} points")
    lines = [line for line in done.err.splitlines() if line.startswith("point ")]
    told = {re.match(r"point (.*?): ", line)[1] for line in lines}
    counts.refused = len(told)
    if len(told) != 2 * n_seeds or len(lines) != len(told) or done.status == 0:
        counts.violations.append(
            f"{len(told)} failed points reported, not {2 * n_seeds}: {done.words}"
        )
    counts.seconds = done.seconds
    counts.notes.append(f"killed {N_KILLS} times; refused are the points with a reason in the list")
    return counts


def _without_limit() -> None:
    """Take as much CPU time as all points need."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _records(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs/*/record.json"))


def _wait_for(folder: Path, n: int, drawn: random.Random) -> None:
    import time

    began = time.monotonic()
    while len(_records(folder)) < n and time.monotonic() - began < 600:
        time.sleep(0.05)
    time.sleep(drawn.uniform(0, 0.5))
