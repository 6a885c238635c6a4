"""Decorators for code compiled by Numba, which is loaded at the first call."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

from physlm.watching import tell


def compiled(function: Callable[..., Any]) -> "Compiled":
    """Compile a function at its first call, and cache the machine code for later processes."""
    return Compiled(function, {"nogil": True}, is_kept=True)


def compiled_within(function: Callable[..., Any]) -> "Compiled":
    """Compile a function as a part of the compiled functions that call it, without a cache.

    A call from Python is refused: the code that converts its arguments would take a third of the
    time that a large world takes to compile.
    """
    options = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return Compiled(function, options, is_kept=False)


def inlined(function: Callable[..., Any]) -> "Compiled":
    """Inline a function into every compiled function that calls it."""
    return Compiled(function, {"inline": "always"}, is_kept=False)


class Compiled:
    """A function that Numba compiles when it is first called or inspected.

    Importing a world to read its configuration must not load Numba, which takes longer than all
    of physlm.
    """

    def __init__(
        self, function: Callable[..., Any], options: dict[str, Any], *, is_kept: bool
    ) -> None:
        self._function, self._options, self._is_kept = function, options, is_kept
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled code, unless only compiled code can call it."""
        if "no_cpython_wrapper" in self._options:  # Numba would end the process without an error
            raise TypeError(
                f"{self._function.__name__} can be called by compiled functions only; decorate it "
                "with compiled to call it from Python"
            )
        return self._dispatcher(*arguments)

    def __getattr__(self, name: str) -> Any:
        """Attributes of the dispatcher, which Numba reads when another compiled function calls."""
        if name.startswith("__"):  # read by copying and inspection, which must not load Numba
            raise AttributeError(name)
        return getattr(self._dispatcher, name)

    @cached_property
    def _dispatcher(self) -> Any:
        import numba

        dispatcher = numba.njit(**self._options)(self._function)
        if self._is_kept:
            _keep(dispatcher, self._function)
        return dispatcher


def _keep(dispatcher: Any, function: Callable[..., Any]) -> None:
    """Cache compiled code on disk; the code runs even if the disk is full."""
    from numba.core.caching import FunctionCache

    class Cache(FunctionCache):  # type: ignore[misc] # Numba is untyped
        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(OSError):
                super().save_overload(sig, data)

    try:
        dispatcher._cache = Cache(function)  # as enable_caching does
    except RuntimeError:  # no folder can be written
        _warn_of_slow_starts()


@cache
def _warn_of_slow_starts() -> None:
    """Warn once, in the process that the user started."""
    if multiprocessing.parent_process() is None:
        tell(
            "compiled code cannot be cached, so every start is slower; set NUMBA_CACHE_DIR to a "
            "writable folder"
        )
