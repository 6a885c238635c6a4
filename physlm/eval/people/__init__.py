"""Scorers of knowledge about people: capacity, recall, QA."""
