"""Slurm's commands: submit a script, look at the queue, ask for the final state of a job."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from physlm.errors import InputError
from physlm.watching import tell

_SECONDS_FOR_AN_ANSWER = 60
_OF_SLURM = ("SLURM_", "SBATCH_", "SQUEUE_", "SINFO_", "SACCT_", "SCONTROL_", "SRUN_")


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
    _require_nodes(script)
    done = _slurm("sbatch", "--parsable", str(script))
    if done.returncode:
        raise _refusal(done, script)
    return done.stdout.strip().partition(";")[0]


def _require_nodes(script: Path) -> None:
    """Require nodes for a job, without which it would stay pending.

    Raises:
        InputError: If there are none. While nodes are down, which Slurm does not count, it is a
            note.
    """
    done = _slurm("sbatch", "--test-only", str(script))
    if not done.returncode:
        return
    missing = _slurm("sinfo", "--noheader", "--states=down,drain,maint,fail", "--format=%D")
    if any(count != "0" for count in missing.stdout.split()):
        tell(f"note: Slurm could not start the job now ({_message(done)}); some nodes are down")
        return
    raise _refusal(done, script)


def _refusal(done: subprocess.CompletedProcess[str], script: Path) -> InputError:
    return InputError(
        f"Slurm refuses the job: {_message(done)}; change launcher.* or runtime.* (the script is "
        f"{script})"
    )


def queued(job_ids: Iterable[str]) -> Mapping[str, Queued] | None:
    """The jobs of arrays that are in the queue, by ``ARRAY_INDEX``; None if Slurm does not answer.

    Args:
        job_ids: Ids of the arrays.
    """
    ids = ",".join(sorted(set(job_ids)))
    if not ids:
        return {}
    options = ("--noheader", "--array", "--all", "--format=%F_%K|%T|%r")
    done = _slurm("squeue", *options, f"--jobs={ids}")
    if done.returncode:
        return {} if "Invalid job id" in done.stderr else None
    rows = (line.strip().split("|") for line in done.stdout.splitlines() if line.count("|") == 2)
    return {name: Queued(state, reason) for name, state, reason in rows}


def job_fields(job: str) -> dict[str, str]:
    """What Slurm knows of a job, by Slurm's names; empty if nothing.

    Args:
        job: As ``ARRAY_INDEX``.
    """
    shown = _slurm("scontrol", "show", "job", "--oneliner", job)
    return dict(word.split("=", 1) for word in shown.stdout.split() if "=" in word)


def final_state(job: str) -> str:
    """The state of a job that is no longer in the queue, in Slurm's words; empty if unknown.

    Args:
        job: As ``ARRAY_INDEX``.
    """
    if fields := job_fields(job):
        return fields["JobState"]
    try:
        words = ("--noheader", "--parsable2", "-X", f"--jobs={job}", "-o", "State")
        accounted = _slurm("sacct", *words)
    except InputError:  # there is no accounting
        return ""
    return accounted.stdout.strip() if accounted.returncode == 0 else ""


def requeue(job: str) -> str:
    """Queue a job again, which ends it; why that failed, or empty.

    Args:
        job: As ``ARRAY_INDEX``.
    """
    done = _slurm("scontrol", "requeue", job)
    return _message(done) if done.returncode else ""


def require_time(partitions: str, minutes: int) -> None:
    """Require that a partition lets jobs run so long; otherwise they would stay pending.

    Args:
        partitions: Its name, or several with commas; empty for the cluster's default.
        minutes: Of a job.

    Raises:
        InputError: If none does, or one does not exist.
    """
    limits = {}
    for name in partitions.split(","):
        shown = _slurm("scontrol", "show", "partition", "--oneliner", *([name] if name else []))
        if "not found" in shown.stdout:
            raise InputError(f"launcher.partition={name} is not found; sinfo lists the partitions")
        if shown.returncode:
            raise InputError(
                f"launcher=slurm: Slurm does not answer here ({_message(shown)}); use it on a "
                "login node of a cluster; launcher=processes needs no cluster"
            )
        lines = [line for line in shown.stdout.splitlines() if name or "Default=YES" in line]
        found = re.search(r"PartitionName=(\S+).* MaxTime=(\S+)", lines[0] if lines else "")
        limits[found[1] if found else name] = _minutes(found[2]) if found else None
    if all(limit is not None and limit < minutes for limit in limits.values()):
        name, limit = max(limits.items(), key=lambda item: item[1] or 0)
        raise InputError(
            f"launcher.timeout_min={minutes}; the partition {name} lets jobs run for {limit} "
            "minutes, lower it to that or choose another launcher.partition"
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
            command,
            capture_output=True,
            text=True,
            check=False,
            # A submission is waited for: it may have been accepted.
            timeout=None if command[0] == "sbatch" else _SECONDS_FOR_AN_ANSWER,
            env=_environment(),
        )
    except FileNotFoundError:
        raise InputError(
            f"launcher=slurm: there is no {command[0]} on this machine; use it on a login node of "
            "a cluster; launcher=processes needs no cluster"
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} does not answer")


def _environment() -> dict[str, str]:
    """The environment of this process, without settings that change what Slurm does or prints.

    A user may have set some for other work, and inside a job Slurm has set those of that job.
    """
    kept = {"SLURM_CONF", "SLURM_CLUSTERS"}
    names = (name for name in os.environ if name in kept or not name.startswith(_OF_SLURM))
    return {**{name: os.environ[name] for name in names}, "SLURM_TIME_FORMAT": "standard"}


def _message(done: subprocess.CompletedProcess[str]) -> str:
    """What a command of Slurm's says about its failure, on one line."""
    text = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
    lines = [re.sub(r"^\w+: (error: )?", "", line.strip()) for line in text.splitlines()]
    return ", ".join(dict.fromkeys(lines))
