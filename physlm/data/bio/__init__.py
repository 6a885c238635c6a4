"""Biographies: people, their attributes, and the texts that state them."""
