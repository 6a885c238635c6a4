"""Public figures: a table of names, birth dates and birthplaces, compiled for physlm.

Each row names two sources in which its date and place can be checked, by their tags in ``SOURCES``.
People are left out whose date, calendar or birthplace is disputed, or who share their name with
another famous person.
"""

import csv
import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from physlm.data.people.pools import MONTHS

SOURCES = {
    "nobel": "the Nobel Foundation, on laureates",
    "lahman": "the Lahman Baseball Database",
    "freebsd": "the birthdays of FreeBSD's calendar program",
    "britannica": "Encyclopaedia Britannica",
    "wikipedia": "Wikipedia",
}

_TABLE = Path(__file__).parent / "figures.csv"


class Figure(NamedTuple):
    """One person.

    Attributes:
        name: The name in common use.
        birth_date: Date of birth in the Gregorian calendar.
        birthplace: The city or village, under its English or its historical name.
        other_names: Further names of the person.
        other_places: Further names of the birthplace, or of a part of it.
        sources: Tags of two sources of the date and the place.
    """

    name: str
    birth_date: datetime.date
    birthplace: str
    other_names: tuple[str, ...] = ()
    other_places: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def written_date(self) -> str:
        """The birth date as text, such as June 23, 1912."""
        return written(self.birth_date)


def written(date: datetime.date) -> str:
    """A date in the form of questions and answers, such as June 23, 1912."""
    return f"{MONTHS[date.month - 1]} {date.day}, {date.year}"


@cache
def figures() -> tuple[Figure, ...]:
    """All public figures in order of birth."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Figure(
                row["name"],
                datetime.date.fromisoformat(row["birth_date"]),
                row["birthplace"],
                _several(row["other_names"]),
                _several(row["other_places"]),
                _several(row["sources"]),
            )
            for row in csv.DictReader(file)
        )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()
