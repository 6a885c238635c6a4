"""Statistics: intervals over seeds, choice of hyperparameters."""
