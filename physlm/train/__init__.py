"""Training: batches, schedule, the Lightning module, tracking; `fit` ties them together."""
