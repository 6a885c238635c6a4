"""Balanced brackets of several types, in words of one length."""
