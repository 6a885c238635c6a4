"""How training uses the processor: its threads and its memory."""

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

_N_CORES = torch.get_num_threads()  # what torch finds, before anybody limits it

# Compiling takes about as long as 3e12 operations of a small model take uncompiled on one core.
_LEAST_OPERATIONS = 3e12

# What a small model gets through in a second, roughly.
_OPERATIONS_PER_SECOND = {"cpu": 3e10, "cuda": 3e13}
_MOST_STEPS, _LEAST_CHUNKS = 256, 64


def use_processor(n_threads: int | None, n_processes: int) -> None:
    """Share the cores between the processes of a run, and reuse the memory of one step in the next.

    Args:
        n_threads: Threads of this process; None for its share of the cores.
        n_processes: Processes of the run on this machine that compute on the processor.
    """
    torch.set_num_threads(n_threads or max(1, _N_CORES // n_processes))
    _keep_freed_memory()


def n_cores() -> int:
    """Cores that this process may use; of those of a parallel sweep, its share."""
    if multiprocessing.parent_process() is not None:
        return _N_CORES
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_worth_compiling(device: str, n_parameters: int, n_tokens: float) -> bool:
    """Whether a compiled program saves more time than the compiler takes, and can be compiled.

    On a GPU it always does; on a processor in long runs.
    """
    is_long = device != "cpu" or _operations(n_parameters, n_tokens) >= _LEAST_OPERATIONS
    return is_long and missing_for_compiling(device) is None


def steps_per_chunk(
    device: str, n_parameters: int, n_tokens: float, tokens_per_step: int, *, n_looks: int = 0
) -> int:
    """Optimizer steps between looks at the losses, which take as long as several small ones.

    At most about a second of them, at most 256, and so few that there are at least 64 looks, or as
    many as are asked for.
    """
    in_a_second = _OPERATIONS_PER_SECOND[device] / _operations(n_parameters, tokens_per_step)
    n_steps = n_tokens / tokens_per_step
    return max(1, int(min(_MOST_STEPS, in_a_second, n_steps / max(_LEAST_CHUNKS, n_looks))))


def missing_for_compiling(device: str) -> str | None:
    """What torch.compile needs and this machine lacks, if anything."""
    if device != "cpu" and importlib.util.find_spec("triton") is None:
        return "triton"
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        return f"a C++ compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's header files (Python.h)"
    return None


def processor_name() -> str | None:
    """What the system calls the processor, where it says so."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), None)


def _operations(n_parameters: int, n_tokens: float) -> float:
    """Multiplications and additions of training on so many tokens, without those of attention."""
    return 6 * n_parameters * n_tokens


def _keep_freed_memory() -> None:
    """Keep glibc from returning large blocks to the system, which costs a third of small steps."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, with an allocator of its own
        return
    # Older versions refuse more than 32 MiB; a refusal must not leave their small default fixed.
    if mallopt(_M_MMAP_THRESHOLD, 2**30) or mallopt(_M_MMAP_THRESHOLD, 2**25):
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
