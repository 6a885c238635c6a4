"""Comparison of two groups of texts, with the controls that every such comparison needs."""
