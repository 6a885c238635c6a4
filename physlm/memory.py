"""What this machine can hold: what cannot fit is refused before any of it is allocated."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LIMIT_OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def require_memory(n_bytes: Mapping[str, int]) -> None:
    """What is to be built fits into memory.

    Args:
        n_bytes: How much each part takes at least, by what decides its size: ``n_people=100``.

    Raises:
        ValueError: Naming the largest part, if they do not fit together.
    """
    if sum(n_bytes.values()) > memory_bytes():
        largest = max(n_bytes, key=lambda name: n_bytes[name])
        raise ValueError(
            f"{largest} takes {_gib(n_bytes[largest])} GiB of memory at least, and this machine "
            f"has {_gib(memory_bytes())}; make it smaller"
        )


@cache
def memory_bytes() -> int:
    """Of this machine, or of the container that we are in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _LIMIT_OF_CONTAINER.read_text().strip() if _LIMIT_OF_CONTAINER.is_file() else "max"
    return found if limit == "max" else min(found, int(limit))


def _gib(n_bytes: int) -> str:
    tenths = n_bytes * 10 // 2**30  # whole numbers: floats end before what a user may ask for
    return f"{tenths // 10:,}.{tenths % 10}"
