"""Biographies from a Parquet file with the columns person, name and text, written by any tool."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from physlm.data.texts.discourse import Person


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file.

    Attributes:
        name: Its name in errors.
        person: Number of the person.
        person_name: Name of the person according to the file.
        text: The biography.
    """

    name: str
    person: int
    person_name: str
    text: str


def texts_of(path: Path, persons: Sequence[Person], n_texts: int) -> list[Row]:
    """The first ``n_texts`` texts of each person, person by person.

    Raises:
        ValueError: If the file is not such a table, has other people, or too few texts.
    """
    found: list[list[Row]] = [[] for _ in persons]
    for row in _rows(path):
        if row.person >= len(persons):
            continue
        expected = persons[row.person].name
        if row.person_name != expected:
            raise ValueError(
                f"{row.name} is about {row.person_name}, but the person of this world is "
                f"{expected}; use the n_people, pool_size and seed of the file"
            )
        found[row.person].append(row)
    fewest = min(map(len, found))
    if fewest < n_texts:
        raise ValueError(
            f"n_texts={n_texts}, but source={path} has {fewest} of person "
            f"{[len(texts) for texts in found].index(fewest)}; write more texts"
        )
    return [row for texts in found for row in texts[:n_texts]]


def _rows(path: Path) -> Iterable[Row]:
    table = _table(path)
    people, names, texts = (table[name].to_pylist() for name in ("person", "name", "text"))
    for i, (person, name, text) in enumerate(zip(people, names, texts, strict=True)):
        row = f"source={path}: row {i} (of 0 to {len(table) - 1})"
        for column, value in (("name", name), ("text", text)):
            if value is None or not value.strip():
                raise ValueError(f"{row} has no {column}; complete the row or remove it")
        yield Row(row, _number(row, person), name, text)


def _table(path: Path) -> pa.Table:
    """The three columns, after checking their types."""
    if path.is_dir():
        raise ValueError(f"source={path} is a folder; give a Parquet file")
    wanted = {"person": "whole numbers", "name": "text", "text": "text"}
    try:
        with pq.ParquetFile(path) as file:
            has = file.schema_arrow.names
            for column in wanted:
                if has.count(column) != 1:
                    raise ValueError(
                        f"source={path} has {has.count(column)} columns named {column}; "
                        f"needs one each of {', '.join(wanted)}"
                    )
            table = file.read(columns=list(wanted))
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"source={path} is not a file of biographies: {error}") from error
    for column, fitting in wanted.items():
        kind = table.schema.field(column).type
        if not _is_fitting(kind, is_number=column == "person"):
            raise ValueError(f"source={path}: column {column} has type {kind}; must be {fitting}")
    return table


def _is_fitting(kind: pa.DataType, *, is_number: bool) -> bool:
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    if is_number:
        return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _number(row: str, person: Any) -> int:
    """The number of a person as an integer; some tools write it as 3.0."""
    if person is None or person != person:  # noqa: PLR0124 - NaN
        raise ValueError(f"{row} has no person; complete the row or remove it")
    if person < 0 or person % 1:
        raise ValueError(f"{row} has person={person}; must be a whole number from 0")
    return int(person)
