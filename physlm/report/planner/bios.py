"""Bits and facts of people as in bioS, the default of a plan."""

import math

N_NAMES = 400 * 400 * 1000
VALUE_BITS = math.log2(2 * (12 * 28 * 200) * 200 * 300 * 100 * 263)
FACTS = 6  # of a person: birth date, birth city, university, major, employer, gender


def world_bits(n_people: float) -> float:
    """Bits of the names and values of some people of bioS.

    Args:
        n_people: Number of people; with all names taken, a name says nothing.

    Source:
        Physics of Language Models, Part 3.3, definition 2.2: N log2(N0 / N) + N log2 S0.
    """
    return n_people * (max(math.log2(N_NAMES / n_people), 0.0) + VALUE_BITS)
