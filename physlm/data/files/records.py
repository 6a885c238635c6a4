"""Rows of JSON, JSON Lines, CSV and Parquet files, each a mapping of columns to values."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from physlm.errors import InputError

Record = Mapping[str, Any]


def records_of(path: Path) -> list[Record]:
    """The rows of a file, at least one.

    A ``.json`` file is a list of objects, a ``.jsonl`` file has one object per line. Cells of a
    ``.csv`` file are text.

    Raises:
        InputError: If the file is of another kind, cannot be read, or is empty.
    """
    if path.suffix not in _READERS:
        raise InputError(f"{path}: must end in {', '.join(_READERS)}; save it as one of these")
    rows = list(_READERS[path.suffix](path))
    if not rows:
        raise InputError(f"{path} is empty; give a file with rows")
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(
                f"{path}: row {i} is {json.dumps(row)[:40]}; must be an object with named values"
            )
    return rows


def text_of(path: Path) -> str:
    """The content of a text file.

    Raises:
        InputError: If it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (at byte {error.start}); save it in that encoding"
        ) from error


def value_of(row: Record, column: str, path: Path, number: int) -> Any:
    """The value of a row in a column.

    Args:
        row: Row of the file.
        column: Name of the column.
        path: Path of the file, for the error.
        number: Number of the row, for the error.

    Raises:
        InputError: If the row has no such column, or no value there.
    """
    if row.get(column) is None:
        raise InputError(
            f"{path}: row {number} has no {column}; its columns are {', '.join(map(str, row))}"
        )
    return row[column]


def _json(path: Path) -> list[Any]:
    try:
        content = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); give a list of objects") from error
    if not isinstance(content, list):
        raise InputError(f"{path} is a {type(content).__name__}; give a list of objects")
    return content


def _json_lines(path: Path) -> list[Any]:
    rows = []
    for number, line in enumerate(text_of(path).split("\n")):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: line {number + 1} is not valid JSON ({error}); write one object per line"
            ) from error
    return rows


def _csv(path: Path) -> list[Any]:
    import polars as pl  # imported here, as composing a configuration does not need it

    return _table(path, lambda: pl.read_csv(path, infer_schema=False))


def _parquet(path: Path) -> list[Any]:
    import polars as pl

    return _table(path, lambda: pl.read_parquet(path))


def _table(path: Path, read: Callable[[], Any]) -> list[Any]:
    import polars as pl

    try:
        rows: list[Any] = read().to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    return rows


_READERS: Mapping[str, Callable[[Path], Sequence[Any]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}
