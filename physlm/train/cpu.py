"""Use of the CPU by training: threads, memory, and whether compiling pays off."""

import ctypes
import importlib.util
import multiprocessing
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import torch

# glibc's names, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_N_CORES = torch.get_num_threads()  # torch's own count, before it is limited

# Compiling takes about as long as 3e12 operations of an uncompiled small model on one core.
_LEAST_OPERATIONS = 3e12

# Rough throughput of a small model.
_OPERATIONS_PER_SECOND = {"cpu": 3e10, "cuda": 3e13}
_MOST_STEPS, _LEAST_CHUNKS = 256, 64


def use_processor(n_threads: int | None, n_processes: int) -> None:
    """Divide the cores between the processes of a run, and reuse memory from step to step.

    Args:
        n_threads: Threads of this process; None for an even part of the cores.
        n_processes: Processes of the run on this machine that compute on the CPU.
    """
    torch.set_num_threads(n_threads or max(1, _N_CORES // n_processes))
    _keep_freed_memory()


def n_cores() -> int:
    """Cores that this process may use; a process of a parallel sweep has its part of them."""
    if multiprocessing.parent_process() is not None:
        return _N_CORES
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    # Slurm gives a task so many cores, but not on every cluster binds it to them.
    return min(count, int(os.environ.get("SLURM_CPUS_PER_TASK", count)))


def can_share_memory() -> bool:
    """Whether processes can share memory without a file that has a name."""
    return hasattr(os, "memfd_create")


def is_worth_compiling(device: str, n_parameters: int, n_tokens: float) -> bool:
    """Whether compiling is possible and saves more time than it takes.

    It always does on a GPU, and in long runs on a CPU.
    """
    is_long = device != "cpu" or _operations(n_parameters, n_tokens) >= _LEAST_OPERATIONS
    return is_long and missing_for_compiling(device) is None


def steps_per_chunk(
    device: str, n_parameters: int, n_tokens: float, tokens_per_step: int, *, n_evaluations: int = 0
) -> int:
    """Optimizer steps per chunk; reading losses between chunks takes as long as several steps.

    At most about a second of steps, at most 256, and so few that there are at least 64 chunks, or
    ``n_evaluations`` if that is more; one if nothing is trained.

    Args:
        device: ``cpu`` or ``cuda``.
        n_parameters: Of the model.
        n_tokens: Of the whole training.
        tokens_per_step: Of one optimizer step.
        n_evaluations: Measurements during training, which happen between chunks.
    """
    if not n_tokens:
        return 1
    in_a_second = _OPERATIONS_PER_SECOND[device] / _operations(n_parameters, tokens_per_step)
    n_steps = n_tokens / tokens_per_step
    return max(1, int(min(_MOST_STEPS, in_a_second, n_steps / max(_LEAST_CHUNKS, n_evaluations))))


def missing_for_compiling(device: str) -> str | None:
    """A requirement of torch.compile that this machine lacks, if any."""
    if device != "cpu" and importlib.util.find_spec("triton") is None:
        return "triton"
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        return f"a C++ compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's header files (Python.h)"
    return None


def processor_name() -> str | None:
    """Name of the CPU, if the system reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), None)


def _operations(n_parameters: int, n_tokens: float) -> float:
    """Multiplications and additions of training, without those of attention."""
    return 6 * n_parameters * n_tokens


def _keep_freed_memory() -> None:
    """Keep glibc from returning large blocks to the system, which costs a third of small steps."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, with an allocator of its own
        return
    # Older versions refuse more than 32 MiB; then the dynamic default must not be switched off.
    if mallopt(_M_MMAP_THRESHOLD, 2**30) or mallopt(_M_MMAP_THRESHOLD, 2**25):
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
