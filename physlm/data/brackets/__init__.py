"""Balanced brackets of several types, in words of a fixed length."""
