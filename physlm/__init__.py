"""Controlled experiments on language models in synthetic worlds whose truth is known exactly."""

from physlm.caches import settle_caches

__version__ = "0.1.0"

settle_caches()  # before any library looks for its own
