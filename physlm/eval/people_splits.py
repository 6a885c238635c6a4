"""The two parts of a world of people: those whose questions were trained on, and all others."""

IN, OUT = "in_distribution", "out_of_distribution"
