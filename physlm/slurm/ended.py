"""The end of a Slurm job: `python -m physlm.slurm.ended FOLDER STATUS`, the last line of `job.sh`.

A run that was interrupted has saved its state. Slurm would take its job for failed, so it is
queued again here if Slurm interrupted it: since its time was over, or for a job of higher priority.
"""

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from physlm.slurm.folder import JobFolder, array_index
from physlm.watching import tell

# Exit statuses of an interrupted run: its own, and that of a process killed by SIGTERM as it began.
_INTERRUPTED = (130, 143)

# Slurm may warn up to a minute earlier than it was asked to, and saving takes time.
_TOLERANCE_SECONDS = 90

_SECONDS_UNTIL_KILLED = 300


def main() -> None:
    """Queue an interrupted job again, or keep its exit status and exit with it."""
    folder, status = JobFolder(Path(sys.argv[1])), int(sys.argv[2])
    if status in _INTERRUPTED and (reason := _interrupted_by_slurm(folder)):
        _queue_again(reason)
        status = 130
    folder.write_status(array_index(), status)
    sys.exit(status)


def _interrupted_by_slurm(folder: JobFolder) -> str:
    """Why Slurm interrupted this job; empty if a person did, or it ran out of time too often."""
    job = _facts()
    if job.get("JobState") not in {"RUNNING", "COMPLETING", "SUSPENDED"}:
        return ""  # cancelled
    if job.get("PreemptTime", "None") not in {"None", "Unknown"}:
        return "preempted"
    work = folder.work()
    end = _seconds(job.get("EndTime", ""))
    if end is None or end - time.time() > work.warning_seconds + _TOLERANCE_SECONDS:
        return ""
    if folder.count_timeout(array_index()) > work.max_num_timeout:
        tell(
            f"out of time more than launcher.max_num_timeout={work.max_num_timeout} times; raise "
            "that, or launcher.timeout_min"
        )
        return ""
    return "out of time"


def _queue_again(reason: str) -> None:
    """Ask Slurm to queue this job again, which ends it; returns only if that fails."""
    command = ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tell(f"{reason}, but {' '.join(done.stderr.split())}")
        return
    tell(f"{reason}; the state is saved, the job is queued again")
    time.sleep(_SECONDS_UNTIL_KILLED)


def _facts() -> dict[str, str]:
    """What Slurm knows of this job, by Slurm's names."""
    command = ["scontrol", "show", "job", "--oneliner", os.environ["SLURM_JOB_ID"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    parts = (word.partition("=") for word in done.stdout.split())
    return {name: value for name, _, value in parts}


def _seconds(text: str) -> float | None:
    """A time of Slurm's in seconds of the clock; None if it is unknown."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


if __name__ == "__main__":
    main()
