"""Scorers of natural text."""
