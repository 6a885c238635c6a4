"""The planner: what a capacity law says about the size, data and training of a model."""
