"""Worlds and their corpora; NumPy and Numba only."""
