"""Statistics: intervals over seeds, and selection of hyperparameters."""
