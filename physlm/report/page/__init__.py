"""One HTML file of claims, runs, curves and figures, which opens without a network."""
