"""Mixers: the parts of a block in which tokens read other tokens."""
