"""Scorers of models trained on context-free grammars."""
