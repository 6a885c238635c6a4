"""Configuration of Slurm jobs that complete the runs of a command."""

from dataclasses import dataclass, field

from physlm.schema import Schema


@dataclass(kw_only=True, slots=True)
class LauncherConfig(Schema):
    """Slurm jobs: what they ask for, and what the command waits for. None enters the run id.

    Nodes, tasks and GPUs follow `runtime.n_nodes`, `runtime.n_devices` and `runtime.device`.
    """

    partition: str = ""  # of the cluster; empty: its default
    account: str = ""  # that jobs are charged to; empty: your default
    qos: str = ""  # quality of service; empty: your default
    constraint: str = ""  # features of nodes, such as h100; empty: any
    timeout_min: int = 240  # minutes; a run saves its state before, and is queued again
    max_num_timeout: int = 10  # times that a job out of time is queued again
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
            if not option.startswith("-"):
                raise ValueError(
                    f"launcher.sbatch_options has {option!r}; write options as for sbatch, as "
                    "--mail-type=END"
                )

    @property
    def warning_seconds(self) -> int:
        """Seconds before the end of a job at which its runs are asked to save their state."""
        return min(120, 20 * self.timeout_min)
