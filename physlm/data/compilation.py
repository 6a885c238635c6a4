"""Compiled code, kept from one start to the next where it can be."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numba
from numba.core.caching import FunctionCache

from physlm.watching import tell


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, and keep the code for later processes."""
    dispatcher = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = _Cache(function)  # as enable_caching does
    except RuntimeError:  # there is no folder that can be written
        _tell_of_slow_starts()
    return dispatcher


class _Cache(FunctionCache):  # type: ignore[misc] # Numba is untyped
    """Keeps compiled code; a full disk keeps nothing, and is no reason not to run it."""

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


@cache
def _tell_of_slow_starts() -> None:
    """Say it once, in the process that the user started."""
    if multiprocessing.parent_process() is None:
        tell("compiled code cannot be kept, so every start is slower; set NUMBA_CACHE_DIR to a "
             "folder that can be written")  # fmt: skip
