"""The people of bioS, and the pieces of text that their biographies are assembled from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from physlm.data.people.knowledge import PieceList
from physlm.data.people.people import Population
from physlm.data.people.pools import (
    ATTRIBUTES,
    FIRST_YEAR,
    MONTHS,
    N_DAYS,
    N_YEARS,
    NAME_PARTS,
    VALUE_POOLS,
    employers,
    pool,
    templates,
)

PRONOUNS = ("He", "She")
PRONOUNS_FRENCH = ("Il", "Elle")


@dataclass(frozen=True, slots=True)
class People:
    """The people of bioS, their facts as indices into the pools.

    Attributes:
        names: First, middle and last name.
        birth_dates: Month, day and year, each from 0.
        choices: Birth city, university, major and employer.
        is_female: Decides the pronoun.
        pool_size: Entries of each list that facts were drawn from; None for all.
    """

    names: Int64[np.ndarray, "people 3"]
    birth_dates: Int64[np.ndarray, "people 3"]
    choices: Int64[np.ndarray, "people 4"]
    is_female: Int64[np.ndarray, " people"]
    pool_size: int | None

    @classmethod
    def of(cls, drawn: Population, pool_size: int | None) -> "People":
        """The same people, with the columns of facts separated by attribute."""
        facts = drawn.facts
        return cls(drawn.names, facts[:, :3], facts[:, 3:7], facts[:, 7], pool_size)


def n_years(pool_size: int | None) -> int:
    """Number of birth years in use."""
    return N_YEARS if pool_size is None else min(N_YEARS, pool_size)


def name_texts(people: People) -> list[tuple[str, ...]]:
    """First, middle and last name of every person."""
    pools = [pool(part, people.pool_size) for part in NAME_PARTS]
    return [tuple(pools[i][k] for i, k in enumerate(row)) for row in people.names.tolist()]


def value_pieces(people: People, pieces: PieceList) -> np.ndarray:
    """Piece numbers of every value; a birth date is two pieces, the others one."""
    size = people.pool_size
    month_days = pieces.add([f" {month} {day}" for month in MONTHS for day in range(1, N_DAYS + 1)])
    years = pieces.add([f", {FIRST_YEAR + year}" for year in range(n_years(size))])
    tables = [pieces.add(_spaced(pool(name, size))) for name in VALUE_POOLS]
    tables.append(pieces.add(_spaced([company for company, _ in employers(size)])))
    company_cities = pieces.add(_spaced([city for _, city in employers(size)]))
    values = np.full((len(people.names), len(ATTRIBUTES), 2), -1, dtype=np.int32)
    month, day, year = people.birth_dates.T
    values[:, 0, 0] = month_days[month * N_DAYS + day]
    values[:, 0, 1] = years[year]
    for column, table in enumerate(tables):
        values[:, 1 + column, 0] = table[people.choices[:, column]]
    values[:, 5, 0] = company_cities[people.choices[:, 3]]
    return values


def openings(people: People, pieces: PieceList, is_named_later: np.ndarray) -> np.ndarray:
    """The subject of each first sentence: the name, or a pronoun if a later sentence names."""
    openings = np.full((len(people.names), 3), -1, dtype=np.int32)
    if not is_named_later.all():
        openings[~is_named_later] = _names(people, pieces, is_opening=True)[~is_named_later]
    if is_named_later.any():
        openings[is_named_later, 0] = pieces.add(PRONOUNS)[people.is_female[is_named_later]]
    return openings


def later_subjects(
    people: People, pieces: PieceList, has_full_name: np.ndarray, words: tuple[str, str]
) -> np.ndarray:
    """The subject of every later sentence: the full name, or a pronoun.

    Args:
        people: The people.
        pieces: Receives new pieces of text.
        has_full_name: People whose later sentences have the full name.
        words: The pronouns, the male one first.
    """
    subjects = np.full((len(people.names), 3), -1, dtype=np.int32)
    if has_full_name.any():
        subjects[has_full_name] = _names(people, pieces, is_opening=False)[has_full_name]
    if not has_full_name.all():
        pronouns = pieces.add(_spaced(words))
        subjects[~has_full_name, 0] = pronouns[people.is_female[~has_full_name]]
    return subjects


def namings(people: People, pieces: PieceList, is_named_later: np.ndarray) -> np.ndarray:
    """The sentence that only gives the name, -1 for people who need none."""
    n = len(people.names)
    if not is_named_later.any():
        return np.empty((n, 0), dtype=np.int32)
    before, after = pieces.add([" The person's name is", "."])
    names = _names(people, pieces, is_opening=False)
    namings = np.column_stack([np.full(n, before), names, np.full(n, after)])
    namings[~is_named_later] = -1
    return namings


def template_pieces(
    pieces: PieceList, folders: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words before and after each value, and the number of templates of each attribute."""
    rows = [[row for name in folders for row in templates(a, name)] for a in ATTRIBUTES]
    n_templates = np.array([len(row) for row in rows], dtype=np.int32)
    prefixes = np.full((len(rows), n_templates.max()), -1, dtype=np.int32)
    suffixes = prefixes.copy()
    for a, row in enumerate(rows):
        prefixes[a, : len(row)] = pieces.add([before for before, _ in row])
        suffixes[a, : len(row)] = pieces.add([after for _, after in row])
    return prefixes, suffixes, n_templates


def _names(people: People, pieces: PieceList, *, is_opening: bool) -> np.ndarray:
    """The parts of each name, each after a space unless it opens a document."""
    pools = [pool(part, people.pool_size) for part in NAME_PARTS]
    texts = [pools[0] if is_opening else _spaced(pools[0]), *map(_spaced, pools[1:])]
    return np.stack([pieces.add(t)[people.names[:, i]] for i, t in enumerate(texts)], axis=1)


def _spaced(texts: Sequence[str]) -> list[str]:
    return [f" {text}" for text in texts]
