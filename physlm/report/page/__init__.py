"""The page of results: a self-contained HTML file of claims, runs, curves and figures."""
