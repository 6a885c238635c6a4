"""Texts about public figures: right and wrong statements, and a text on each person."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from physlm.atomic import write_text
from physlm.data.public.figures import figures
from physlm.data.public.questions import line_of
from physlm.rng import stream

STATEMENTS, TEXTS = "statements.jsonl", "texts.jsonl"


def write_statements(folder: Path) -> None:
    """Write both files, which are the same every time, for ``data=labelled`` and ``data=texts``."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / STATEMENTS, _statements())
    _write(folder / TEXTS, _texts())


def _statements() -> Iterable[Mapping[str, str]]:
    """For every person the right birth date, and that of another person.

    Everyone's date is wrong once, so that both groups have the same names and dates.
    """
    people = figures()
    others = stream(0, "dates of others").permutation(len(people)).tolist()
    after = dict(zip(others, [*others[1:], others[0]], strict=True))
    for i, figure in enumerate(people):
        for label, j in (("valid", i), ("invalid", after[i])):
            text = line_of(f"When was {figure.name} born?", people[j].written_date)
            yield {"problem": figure.name, "label": label, "text": text}


def _texts() -> Iterable[Mapping[str, str]]:
    """For every person a short text."""
    for figure in figures():
        born = f"{figure.name} was born on {figure.written_date} in {figure.birthplace}."
        lines = (
            line_of(f"When was {figure.name} born?", figure.written_date),
            line_of(f"Where was {figure.name} born?", figure.birthplace),
            line_of(f"In which year was {figure.name} born?", str(figure.birth_date.year)),
        )
        yield {"text": "\n".join([born, *lines])}


def _write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    write_text(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
