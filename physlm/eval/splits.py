"""The split of people by whether their questions are in the QA training set."""

TRAIN_PEOPLE, HELD_OUT_PEOPLE = "train_people", "held_out_people"

# Random streams keep the names that splits had first: other names would draw other questions.
STREAMS = {TRAIN_PEOPLE: "in_distribution", HELD_OUT_PEOPLE: "out_of_distribution"}
