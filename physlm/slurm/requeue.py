"""The end of a Slurm job: `python -m physlm.slurm.requeue FOLDER STATUS`, last in `job.sh`.

An interrupted run has saved its state. If Slurm interrupted it, because it was preempted or out of
time, its job is requeued here; Slurm itself would count it as failed.
"""

import os
import sys
import time
from datetime import datetime
from pathlib import Path

from physlm.early_end import INTERRUPTED
from physlm.slurm.folder import JobFolder, array_index
from physlm.slurm.queue import job_fields, requeue
from physlm.watching import tell

_KILLED = 128  # with the number of the signal; of several processes the highest status is given

# Slurm may warn up to a minute earlier than it was asked to, and saving takes time.
_TOLERANCE_SECONDS = 90

_SECONDS_UNTIL_KILLED = 300


def main() -> None:
    """Requeue an interrupted job, or keep its exit status and exit with it."""
    folder, status = JobFolder(Path(sys.argv[1])), int(sys.argv[2])
    if status > _KILLED and (reason := _interrupted_by_slurm(folder)):
        _requeue(reason)
        status = INTERRUPTED
    folder.write_status(array_index(), status)
    sys.exit(status)


def _interrupted_by_slurm(folder: JobFolder) -> str:
    """Why Slurm interrupted this job; empty if a person did, or it ran out of time too often."""
    job = job_fields(_job())
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


def _requeue(reason: str) -> None:
    """Ask Slurm to requeue this job, which ends it; returns only if that fails."""
    if refusal := requeue(_job()):
        tell(f"{reason}, but {refusal}")
        return
    tell(f"{reason}; the state is saved, the job is requeued")
    time.sleep(_SECONDS_UNTIL_KILLED)


def _job() -> str:
    """The name of this job; with SLURM_JOB_ID, the last one would name its whole array."""
    return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{array_index()}"


def _seconds(text: str) -> float | None:
    """A time of Slurm's in seconds of the clock; None if it is unknown."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


if __name__ == "__main__":
    main()
