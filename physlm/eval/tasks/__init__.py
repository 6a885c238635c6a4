"""Scorers of tasks: knowledge manipulation, and accuracy on synthetic tasks."""
