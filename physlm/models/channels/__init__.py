"""Channels: the parts of a block that work on each token separately."""
