"""Facts about public figures, for questions to published models."""
