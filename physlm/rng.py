"""Random streams, one per named purpose."""

import hashlib

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """The random generator of one purpose, the same on every machine and in every process.

    Streams of different purposes, such as ``stream(seed, "people")`` and ``stream(seed, "epoch", 3,
    "order")``, are independent of each other and of the order in which they are used.

    Raises:
        ValueError: If ``seed`` is negative or no purpose is named.
    """
    if seed < 0:
        raise ValueError(f"seed={seed}; must be at least 0")
    if not purpose:
        raise ValueError("a random stream needs a purpose, for example stream(seed, 'people')")
    name = "/".join(map(str, purpose)).encode()
    key = int.from_bytes(hashlib.sha256(name).digest()[:8], "big")
    return np.random.default_rng([seed, key])


def stream_key(seed: int, *purpose: str | int) -> int:
    """A 64-bit key for counter-based draws inside compiled code, one per purpose."""
    return int(stream(seed, *purpose).integers(0, 2**64, dtype=np.uint64))
