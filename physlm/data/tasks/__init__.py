"""Tasks: questions whose answers are computed from what is known."""
