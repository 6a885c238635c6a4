"""Configuration of Slurm jobs that complete the runs of a command."""

from dataclasses import dataclass, field

from physlm.schema import Schema

# Options of sbatch that keys set, or that the jobs rely on.
_SET_HERE = {
    *("--array", "-a", "--output", "-o", "--error", "-e", "--open-mode", "--chdir", "-D"),
    *("--time", "-t", "--signal", "--requeue", "--no-requeue", "--nodes", "-N", "--ntasks", "-n"),
    *("--ntasks-per-node", "--gpus-per-node", "--cpus-per-task", "-c", "--mem", "--export"),
    *("--partition", "-p", "--account", "-A", "--qos", "-q", "--constraint", "-C", "--clusters"),
    *("-M", "--job-name", "-J", "--wrap", "--test-only", "--parsable", "--wait", "-W"),
}


@dataclass(kw_only=True, slots=True)
class LauncherConfig(Schema):
    """Slurm jobs: what they ask for, and what the command waits for. None enters the run id.

    Nodes, tasks and GPUs follow `runtime.n_nodes`, `runtime.n_devices` and `runtime.device`.
    """

    partition: str = ""  # of the cluster; empty: its default
    account: str = ""  # that jobs are charged to; empty: your default
    qos: str = ""  # quality of service; empty: your default
    constraint: str = ""  # features of nodes, such as h100; empty: any
    timeout_min: int = 240  # minutes of a job; if they do not suffice, it is requeued
    max_num_timeout: int = 10  # times that a job out of time is requeued
    warning_seconds: int = 120  # time to save the state before a job is out of time
    cpus_per_task: int = 8  # cores of each process
    mem_gb: int = 32  # memory of each node
    array_parallelism: int | None = None  # jobs at a time; null: as the cluster allows
    runs_per_job: int = 1  # runs side by side in a job, which share its GPU
    setup: list[str] = field(default_factory=list)  # shell commands first, as "module load cuda"
    sbatch_options: list[str] = field(default_factory=list)  # more of them, as "--mail-type=END"
    snapshot: bool = True  # run a copy of the code as it is now, also if it is edited meanwhile
    wait: bool = True  # wait for the jobs, and show their results

    def validate(self) -> None:
        """Every value in its range."""
        for name in ("timeout_min", "cpus_per_task", "mem_gb", "runs_per_job"):
            if getattr(self, name) < 1:
                raise ValueError(f"launcher.{name}={getattr(self, name)}; must be at least 1")
        if self.max_num_timeout < 0:
            raise ValueError(f"launcher.max_num_timeout={self.max_num_timeout}; must be at least 0")
        if self.array_parallelism is not None and self.array_parallelism < 1:
            raise ValueError(
                f"launcher.array_parallelism={self.array_parallelism}; must be at least 1, or null"
            )
        named = (self.partition, self.account, self.qos, self.constraint)
        for text in (*named, *self.sbatch_options, *self.setup):
            if "\n" in text:
                raise ValueError(f"launcher: {text!r} has several lines; give one each")
        for option in self.sbatch_options:
            self._require_free(option)
        if not 1 <= self.warning_seconds < 60 * self.timeout_min:
            raise ValueError(
                f"launcher.warning_seconds={self.warning_seconds}; must be from 1 to less than "
                f"launcher.timeout_min={self.timeout_min} minutes"
            )

    def _require_free(self, option: str) -> None:
        """Refuse an option of sbatch that a key sets, or that is none."""
        if not option.startswith("-"):
            raise ValueError(
                f"launcher.sbatch_options has {option!r}; write options as for sbatch, as "
                "\"launcher.sbatch_options=['--mail-type=END']\""
            )
        name = option.partition("=")[0].partition(" ")[0]
        if name in _SET_HERE:
            raise ValueError(
                f"launcher.sbatch_options has {name}, which physlm sets itself; leave it out, or "
                "use the key of launcher or runtime for it"
            )
