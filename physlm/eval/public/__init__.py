"""The scorer of questions about public figures."""
