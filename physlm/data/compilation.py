"""Code compiled by Numba, which is loaded and compiles when such code is first called."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

from physlm.watching import tell


def compiled(function: Callable[..., Any]) -> "Compiled":
    """Compile a function when it is first called, and keep the code for later processes."""
    return Compiled(function, {"nogil": True}, is_kept=True)


def compiled_within(function: Callable[..., Any]) -> "Compiled":
    """Compile a function, recursive perhaps, together with the compiled ones that call it."""
    return Compiled(function, {"nogil": True}, is_kept=False)


def inlined(function: Callable[..., Any]) -> "Compiled":
    """Compile a function into each compiled one that calls it."""
    return Compiled(function, {"inline": "always"}, is_kept=False)


class Compiled:
    """Stands for what Numba makes of a function, and makes it when it is called or looked into.

    Whoever imports a world to read its configuration need not wait for Numba, which takes longer
    to load than all of ours.
    """

    def __init__(
        self, function: Callable[..., Any], options: dict[str, Any], *, is_kept: bool
    ) -> None:
        self._function, self._options, self._is_kept = function, options, is_kept
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled code."""
        return self._dispatcher(*arguments)

    def __getattr__(self, name: str) -> Any:
        """Numba finds here what it asks of a compiled function that another one calls."""
        if name.startswith("__"):  # asked by those who inspect or copy things, and want no code
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
    """Keep compiled code on disk; a full disk keeps nothing, and is no reason not to run it."""
    from numba.core.caching import FunctionCache

    class Cache(FunctionCache):  # type: ignore[misc] # Numba is untyped
        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(OSError):
                super().save_overload(sig, data)

    try:
        dispatcher._cache = Cache(function)  # as enable_caching does
    except RuntimeError:  # there is no folder that can be written
        _tell_of_slow_starts()


@cache
def _tell_of_slow_starts() -> None:
    """Say it once, in the process that the user started."""
    if multiprocessing.parent_process() is None:
        tell(
            "compiled code cannot be kept, so every start is slower; set NUMBA_CACHE_DIR to a "
            "folder that can be written"
        )
