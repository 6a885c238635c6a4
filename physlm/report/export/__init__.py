"""A finished run as a folder that other libraries read."""
