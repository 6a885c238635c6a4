"""One process of a Slurm job, started by `job.sh`: `srun python -m physlm.slurm.job FOLDER`.

It becomes the process of a run. If a job has several runs, each of its tasks is one of them, and
knows nothing of the others.
"""

import os
import runpy
import sys
from pathlib import Path

from physlm.slurm.folder import JobFolder, array_index

# By these a library would take the runs of a job for the processes of one run.
_OF_DISTRIBUTED_RUNS = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS")


def main() -> None:
    """Run the program of the job with the arguments of this process's run."""
    work = JobFolder(Path(sys.argv[1])).work()
    runs = work.jobs[array_index()]
    own = runs[0]
    if max(map(len, work.jobs)) > 1:  # runs_per_job
        rank = int(os.environ["SLURM_PROCID"])
        if rank >= len(runs):
            sys.exit(0)
        own = runs[rank]
        for name in _OF_DISTRIBUTED_RUNS:
            os.environ.pop(name, None)
    sys.argv = [sys.argv[0], *own]
    kind, *rest = work.program
    if kind == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    main()
