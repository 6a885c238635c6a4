"""Controlled experiments on language models in synthetic worlds whose truth is known exactly."""

__version__ = "0.1.0"
