"""Figures of experiments, drawn from their results."""
