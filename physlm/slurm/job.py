"""One process of a Slurm job, started by `job.sh`: `srun python -m physlm.slurm.job FOLDER`.

It becomes the process of a run. If a job has several runs, each of its tasks is one of them, and
knows nothing of the others.
"""

import os
import runpy
import sys
from pathlib import Path

from physlm.slurm.folder import JobFolder, Task, Work, array_index

# By these a library would take the runs of a job for the processes of one run.
_OF_DISTRIBUTED_RUNS = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS")


def main() -> None:
    """Run the program of the job with the arguments of this process's run."""
    folder = JobFolder(Path(sys.argv[1]))
    work = folder.work()
    task = _task(work)
    sys.argv = [sys.argv[0], *task.resumed(folder.submitted_at)]
    kind, *rest = work.program
    if kind == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(kind).parent))
        runpy.run_path(kind, run_name="__main__")


def _task(work: Work) -> Task:
    """The run of this process."""
    tasks = work.jobs[array_index()]
    if max(map(len, work.jobs)) == 1:
        return tasks[0]
    rank = int(os.environ["SLURM_PROCID"])  # with runs_per_job
    if rank >= len(tasks):
        sys.exit(0)
    for name in _OF_DISTRIBUTED_RUNS:
        os.environ.pop(name, None)
    return tasks[rank]


if __name__ == "__main__":
    main()
