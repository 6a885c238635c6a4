"""The two parts of a world of people: those whose questions were trained on, and all others."""

IN, OUT = "train_people", "held_out_people"
