"""Public figures: their names, birth dates and birthplaces, of our own compilation."""

import csv
import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from physlm.data.people.pools import MONTHS

_TABLE = Path(__file__).parent / "figures.csv"


class Figure(NamedTuple):
    """One person.

    Attributes:
        name: As people of today call them.
        birth_date: In the Gregorian calendar.
        birthplace: The city or village, under its English name or the one it had then.
        other_names: That are theirs, too.
        other_places: Other names of the place, or the part of it.
    """

    name: str
    birth_date: datetime.date
    birthplace: str
    other_names: tuple[str, ...] = ()
    other_places: tuple[str, ...] = ()

    @property
    def written_date(self) -> str:
        """Such as June 23, 1912."""
        return written(self.birth_date)


def written(date: datetime.date) -> str:
    """A date as questions and answers have it, such as June 23, 1912."""
    return f"{MONTHS[date.month - 1]} {date.day}, {date.year}"


@cache
def figures() -> tuple[Figure, ...]:
    """All of them, from the eldest to the youngest."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Figure(
                row["name"],
                datetime.date.fromisoformat(row["birth_date"]),
                row["birthplace"],
                _several(row["other_names"]),
                _several(row["other_places"]),
            )
            for row in csv.DictReader(file)
        )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()
