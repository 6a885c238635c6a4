"""Scorers of tasks: knowledge manipulation."""
