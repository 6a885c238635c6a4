"""Scorers of models of context-free languages."""
