"""Mixers: the parts of a block in which tokens take from other tokens."""
