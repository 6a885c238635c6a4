"""Memory limits, checked before anything is allocated."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LIMIT_OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def require_memory(n_bytes: Mapping[str, int]) -> None:
    """Require that parts fit into memory together.

    Args:
        n_bytes: Minimum size of each part, by the setting that decides it, as ``n_people=100``.

    Raises:
        ValueError: If they do not fit; names the largest part.
    """
    if sum(n_bytes.values()) > memory_bytes():
        largest = max(n_bytes, key=lambda name: n_bytes[name])
        raise ValueError(
            f"{largest} takes {_gib(n_bytes[largest])} GiB of memory at least, and this machine "
            f"has {_gib(memory_bytes())} GiB; make it smaller"
        )


@cache
def memory_bytes() -> int:
    """Memory of this machine, or the limit of its container."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _LIMIT_OF_CONTAINER.read_text().strip() if _LIMIT_OF_CONTAINER.is_file() else "max"
    return found if limit == "max" else min(found, int(limit))


def _gib(n_bytes: int) -> str:
    tenths = (
        n_bytes * 10 // 2**30
    )  # integers, since a requested size may exceed the range of floats
    return f"{tenths // 10:,}.{tenths % 10}"
