"""Scorer of questions about public figures."""
