"""Lists of names and attribute values, sentence templates, and question templates."""

from functools import cache
from importlib.resources import files

ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "company_city")
NAME_PARTS = ("first_names", "middle_names", "last_names")
VALUE_POOLS = ("birth_cities", "universities", "majors")
COUPLES = (ATTRIBUTES[0:2], ATTRIBUTES[2:4], ATTRIBUTES[4:6])  # birth, studies, work

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
N_MONTHS, N_DAYS, FIRST_YEAR, N_YEARS = 12, 28, 1900, 200

_FOLDER = files("physlm.data.people")


@cache
def pool(name: str, size: int | None = None) -> tuple[str, ...]:
    """The first ``size`` entries of a list of names, places, majors or employers."""
    return lines("pools", name)[:size]


@cache
def employers(size: int | None = None) -> tuple[tuple[str, str], ...]:
    """Each employer with the city of its headquarters."""
    pairs = (line.partition("; ") for line in pool("employers", size))
    return tuple((company, city) for company, _, city in pairs)


@cache
def templates(attribute: str, folder: str = "templates") -> tuple[tuple[str, str], ...]:
    """Sentence templates of an attribute, each as the words before and after the value.

    Every sentence begins with its subject, so that a document begins with the name. The folder
    ``templates_french`` holds the second language.
    """
    rows = (
        line.removeprefix("{subject}").partition("{value}") for line in lines(folder, attribute)
    )
    return tuple((before.rstrip(" "), after) for before, _, after in rows)


@cache
def questions(attribute: str) -> tuple[tuple[str, str], ...]:
    """Paraphrases of the question for an attribute, each as the words around the name."""
    rows = (line.partition("{name}") for line in lines("questions", attribute))
    return tuple((before.rstrip(" "), after) for before, _, after in rows)


def lines(folder: str, name: str) -> tuple[str, ...]:
    """The lines of a text file of the package."""
    return tuple((_FOLDER / folder / f"{name}.txt").read_text(encoding="utf-8").splitlines())
