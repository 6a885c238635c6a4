"""Facts about real people, to ask published models about."""
