"""The split of people by whether their questions are in the QA training set."""

TRAIN_PEOPLE, HELD_OUT_PEOPLE = "train_people", "held_out_people"
