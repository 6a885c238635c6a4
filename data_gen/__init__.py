"""Commands that write a corpus to disk."""
