"""A real Slurm on this machine, without systemd: two nodes, a low and a high partition."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "setpriv")

_CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=4000
PartitionName=low Nodes=n1,n2 Default=YES MaxTime=60 PriorityTier=1 GraceTime=60 PreemptMode=REQUEUE
PartitionName=high Nodes=n1,n2 MaxTime=60 PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """What this machine lacks for a cluster; empty if nothing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    return ", ".join(lacking) or ("" if os.geteuid() == 0 else "the rights of root")


class Cluster:
    """Slurm's daemons, ended by their pid files."""

    def __init__(self, root):
        self.root = Path(root)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.root / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
        }

    def start(self):
        for name in ("state", "spool-n1", "spool-n2", "munge"):
            (self.root / name).mkdir(parents=True)
        for folder in (self.root, *self.root.parents):
            folder.chmod(folder.stat().st_mode | 0o011)  # munge is another user
        self._start_munge()
        host = socket.gethostname().partition(".")[0]
        text = _CONFIGURATION.format(root=self.root, host=host, ports=_free_ports(3))
        (self.root / "slurm.conf").write_text(text)
        self.run("slurmctld")
        for node in ("n1", "n2"):
            self.run("slurmd", "-N", node)
        deadline = time.monotonic() + 30
        while self.run("sinfo", "--noheader", "--format=%T", "--Node").split() != ["idle"] * 4:
            assert time.monotonic() < deadline, (self.root / "slurmctld.log").read_text()
            time.sleep(0.2)

    def _start_munge(self):
        folder = self.root / "munge"
        (folder / "key").write_bytes(secrets.token_bytes(64))
        (folder / "key").chmod(0o400)
        for path in (folder, folder / "key"):
            shutil.chown(path, "munge", "munge")
        files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self.run(
            "setpriv",
            "--reuid=munge",
            "--regid=munge",
            "--init-groups",
            "munged",
            "--force",
            f"--key-file={folder / 'key'}",
            *(f"--{option}={folder / name}" for option, name in files.items()),
        )

    def run(self, *command, check=True):
        """What a command prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def states(self):
        """The states of all jobs in the queue."""
        return self.run("squeue", "--noheader", "--array", "--format=%T").split()

    def facts(self, job):
        """What Slurm knows of a job."""
        words = self.run("scontrol", "show", "job", "--oneliner", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def stop(self):
        if (self.root / "slurm.conf").exists():
            self._end_jobs()
        daemons = ("slurmd-n1.pid", "slurmd-n2.pid", "slurmctld.pid", "munge/pid")
        ids = [int(path.read_text()) for name in daemons if (path := self.root / name).exists()]
        for number in ids:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{number}").exists() for number in ids):
            if time.monotonic() > deadline:
                for number in ids:
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
            time.sleep(0.1)

    def _end_jobs(self):
        """Daemons leave the processes of jobs behind."""
        self.run("scancel", "--state=PENDING", "--user=root", check=False)
        self.run("scancel", "--user=root", check=False)
        deadline = time.monotonic() + 20
        while self.run("squeue", "--noheader", check=False) and time.monotonic() < deadline:
            time.sleep(0.2)


def _free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
