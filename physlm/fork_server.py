"""A process with all libraries loaded, of which the processes of parallel runs are copies.

Loading takes about as long as training a small model, and copies share its memory.
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

_LOADED = "physlm.loaded"


def process_context() -> BaseContext:
    """How processes of runs start: as copies on Linux, elsewhere each from nothing."""
    if not _is_used():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_LOADED])
    return context


def begin_loading() -> None:
    """Start the process now, so that it loads libraries while this one does."""
    if _is_used():
        process_context()
        forkserver.ensure_running()


def _is_used() -> bool:
    return sys.platform == "linux"  # elsewhere, libraries of the system do not survive a fork
