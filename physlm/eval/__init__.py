"""Scorers: from a model and a world to metrics."""
