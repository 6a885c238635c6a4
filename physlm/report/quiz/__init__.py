"""The quiz: the same questions for the reader and the model."""
