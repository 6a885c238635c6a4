"""Slurm's commands: submit, look at the queue, ask what became of a job."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from physlm.errors import InputError

_SECONDS_FOR_AN_ANSWER = 60


class Queued(NamedTuple):
    """A job in the queue.

    Attributes:
        state: Slurm's word, such as ``PENDING``.
        reason: Why it is pending.
    """

    state: str
    reason: str


def submit(script: Path) -> str:
    """Submit a batch script; the id of its job.

    Raises:
        InputError: If Slurm refuses it; its message says why.
    """
    # Without the test, jobs for which there is no node would stay pending for good.
    for words in (["--test-only"], ["--parsable"]):
        done = _slurm("sbatch", *words, str(script))
        if done.returncode:
            raise InputError(
                f"Slurm refuses the job: {_message(done)}; change launcher.* (see {script})"
            )
    return done.stdout.strip().partition(";")[0]


def queued(job_ids: Iterable[str]) -> Mapping[str, Queued] | None:
    """The jobs of arrays that are in the queue, by ``ARRAY_INDEX``; None if Slurm does not answer.

    Args:
        job_ids: Ids of the arrays.
    """
    ids = ",".join(sorted(set(job_ids)))
    if not ids:
        return {}
    done = _slurm("squeue", "--noheader", "--array", f"--jobs={ids}", "--format=%F_%K|%T|%r")
    if done.returncode:
        return {} if "Invalid job id" in done.stderr else None
    rows = (line.strip().split("|") for line in done.stdout.splitlines() if line.count("|") == 2)
    return {name: Queued(state, reason) for name, state, reason in rows}


def fate(job: str) -> str:
    """What became of a job that is no longer in the queue, in Slurm's words; empty if unknown.

    Args:
        job: As ``ARRAY_INDEX``.
    """
    shown = _slurm("scontrol", "show", "job", "--oneliner", job)
    if found := re.search(r"JobState=(\S+)", shown.stdout):
        return found[1]
    accounted = _slurm("sacct", "--noheader", "--parsable2", "-X", f"--jobs={job}", "-o", "State")
    return accounted.stdout.strip() if accounted.returncode == 0 else ""


def require_time(partition: str, minutes: int) -> None:
    """Require that a partition lets jobs run so long; Slurm would leave them pending for good.

    Args:
        partition: Its name; empty for the cluster's default.
        minutes: Of a job.

    Raises:
        InputError: If it does not, or there is no such partition.
    """
    shown = _slurm(
        "scontrol", "show", "partition", "--oneliner", *([partition] if partition else [])
    )
    if "not found" in shown.stdout:
        raise InputError(f"launcher.partition={partition} is not found; sinfo lists the partitions")
    if shown.returncode:
        raise InputError(
            f"launcher=slurm: Slurm does not answer here ({_message(shown)}); use it on a login "
            "node of a cluster; launcher=processes needs no cluster"
        )
    lines = [line for line in shown.stdout.splitlines() if partition or "Default=YES" in line]
    limit = re.search(r"MaxTime=(\S+)", lines[0]) if lines else None
    most = _minutes(limit[1]) if limit else None
    if most is not None and minutes > most:
        name = re.search(r"PartitionName=(\S+)", lines[0])
        raise InputError(
            f"launcher.timeout_min={minutes}; the partition {name[1] if name else partition} lets "
            f"jobs run for {most} minutes, lower it to that or choose another launcher.partition"
        )


@cache
def most_jobs_of_an_array() -> int:
    """The largest array that this cluster takes."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", _slurm("scontrol", "show", "config").stdout)
    return max(1, int(found[1]) - 1) if found else 1000


def _minutes(limit: str) -> int | None:
    """A time limit such as ``1-12:30:00`` in minutes; None if there is none."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", limit)
    if found is None:
        return None
    days, hours, minutes, _ = (int(part or 0) for part in found.groups())
    return (24 * days + hours) * 60 + minutes


def _slurm(*command: str) -> subprocess.CompletedProcess[str]:
    """A command of Slurm's.

    Raises:
        InputError: If Slurm is not installed here.
    """
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS_FOR_AN_ANSWER
        )
    except FileNotFoundError:
        raise InputError(
            f"launcher=slurm: there is no {command[0]} on this machine; use it on a login node of "
            "a cluster; launcher=processes needs no cluster"
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} does not answer")


def _message(done: subprocess.CompletedProcess[str]) -> str:
    """What a command of Slurm's says about its failure, on one line."""
    text = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
    lines = [re.sub(r"^\w+: (error: )?", "", line.strip()) for line in text.splitlines()]
    return ", ".join(dict.fromkeys(lines))
