"""Manipulation tasks, whose answers follow from known facts, and synthetic reasoning tasks."""
