"""How training uses the processor: its threads and its memory."""

import ctypes
import shutil

import numba
import torch

# glibc's names, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_N_CORES = torch.get_num_threads()  # what torch finds, before anybody limits it

# Compiling takes about as long as 3e12 operations of a small model take uncompiled on one core.
_LEAST_OPERATIONS = 3e12


def use_processor(n_threads: int | None, n_processes: int) -> None:
    """Share the cores between the processes of a run, and reuse the memory of one step in the next.

    Args:
        n_threads: Threads of this process; None for its share of the cores.
        n_processes: Processes of the run on this machine that compute on the processor.
    """
    n_threads = n_threads or max(1, _N_CORES // n_processes)
    # Numba first: starting its threads sets the number of torch's.
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(n_threads)
    _keep_freed_memory()


def is_worth_compiling(device: str, n_parameters: int, n_tokens: float) -> bool:
    """Whether a compiled program saves more time than the compiler takes.

    Always on a GPU; on a processor in long runs, if there is a C++ compiler.
    """
    if device != "cpu":
        return True
    return 6 * n_parameters * n_tokens >= _LEAST_OPERATIONS and has_compiler()


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which compiled programs need on a processor."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def _keep_freed_memory() -> None:
    """Keep glibc from returning large blocks to the system, which costs a third of small steps."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library, with an allocator of its own
        return
    libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
