"""The hybrid system: a language model, a database of the same texts, and a router between them."""
