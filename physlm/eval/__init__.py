"""Scorers: a model and a world in, metrics out."""
