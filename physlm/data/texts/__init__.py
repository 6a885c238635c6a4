"""Biographies as running text: a grammar of discourse, rewriting by a model, fixed texts."""
