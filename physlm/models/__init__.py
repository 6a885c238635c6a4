"""Language models: one interface, one decoder, exact parameter counts."""
