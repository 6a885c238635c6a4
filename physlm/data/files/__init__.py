"""Worlds that are read from files: texts, facts and questions with options."""
