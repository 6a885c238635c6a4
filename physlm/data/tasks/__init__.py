"""Manipulation tasks: questions whose answers are computed from known facts."""
