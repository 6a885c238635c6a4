"""Chains of sums, differences and products modulo a number, worked out step by step."""
