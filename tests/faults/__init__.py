"""A campaign of faults: what kills, damages or starves a run, and what comes of it."""
