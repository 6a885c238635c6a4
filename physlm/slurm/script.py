"""The batch script of a job array."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from physlm.config import RunConfig, Scale
from physlm.launcher import LauncherConfig
from physlm.slurm.folder import JobFolder
from physlm.train.runtime import Device


class Resources(NamedTuple):
    """What a job asks for beside the launcher's settings.

    Attributes:
        n_nodes: Machines.
        n_tasks: Processes on each.
        n_gpus: GPUs of each.
    """

    n_nodes: int
    n_tasks: int
    n_gpus: int


def resources_of(run: RunConfig) -> Resources:
    """What a run needs; without a chosen device a GPU at the scales that are made for one."""
    device, n = run.runtime.device, run.runtime.n_devices
    is_for_gpu = run.scale in {Scale.gpu, Scale.paper}
    uses_gpu = device is Device.cuda or (device is Device.auto and is_for_gpu)
    return Resources(run.runtime.n_nodes, n, n if uses_gpu else 0)


def script_text(
    folder: JobFolder,
    settings: LauncherConfig,
    needed: Resources,
    name: str,
    n_jobs: int,
    code: Path | None,
) -> str:
    """The script.

    Args:
        folder: Of the array.
        settings: Partition, time, memory and so on.
        needed: Nodes, tasks and GPUs.
        name: Of the job, in the queue.
        n_jobs: Jobs of the array.
        code: The copy of the code; None for the installed package.
    """
    options = "\n".join(f"#SBATCH {one}" for one in _options(folder, settings, name, n_jobs))
    gpus = f"#SBATCH --gpus-per-node={needed.n_gpus}" if needed.n_gpus else "# no GPU"
    setup = "\n".join(settings.setup)
    python = f"{shlex.quote(sys.executable)} -P -m"
    here, work_dir = shlex.quote(str(folder.path.resolve())), shlex.quote(str(Path.cwd()))
    path = "" if code is None else f"{shlex.quote(str(code.resolve()))}:"
    ends_together = "" if settings.runs_per_job > 1 else " --kill-on-bad-exit=1"
    n = settings.cpus_per_task
    return f"""#!/bin/bash
{options}
#SBATCH --nodes={needed.n_nodes}
#SBATCH --ntasks-per-node={needed.n_tasks}
{gpus}
set -e
{setup}
set +e
cd {work_dir}
rm -f {here}/"$SLURM_ARRAY_TASK_ID".status
export PYTHONPATH={path}"${{PYTHONPATH:+$PYTHONPATH:}}"{work_dir}
export OMP_NUM_THREADS={n}
srun --export=ALL --cpus-per-task={n}{ends_together} {python} physlm.slurm.job {here}
exec {python} physlm.slurm.requeue {here} $?
"""


def _options(folder: JobFolder, settings: LauncherConfig, name: str, n_jobs: int) -> Iterator[str]:
    """Options of sbatch that do not depend on the runs."""
    at_a_time = f"%{settings.array_parallelism}" if settings.array_parallelism else ""
    logs = JobFolder(Path(str(folder.path.resolve()).replace("%", "%%"))).log("%a")
    yield f"--job-name={shlex.quote(name)}"
    yield f"--array=0-{n_jobs - 1}{at_a_time}"
    yield f"--output={shlex.quote(str(logs))}"
    yield f"--chdir={shlex.quote(str(Path.cwd()))}"
    yield f"--time={settings.timeout_min}"
    yield f"--signal=TERM@{settings.warning_seconds}"
    yield f"--cpus-per-task={settings.cpus_per_task}"
    yield f"--mem={settings.mem_gb}G"
    yield "--open-mode=append"
    yield "--requeue"
    for option in ("partition", "account", "qos", "constraint"):
        if value := getattr(settings, option):
            yield f"--{option}={shlex.quote(value)}"
    yield from settings.sbatch_options
