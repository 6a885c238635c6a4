"""The page of scorecards: one HTML file that compares models test by test."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from physlm.report.page.html_file import html_file
from physlm.report.scorecard.card import COUNT, Card, Entry, rows_of, shown

_HERE = Path(__file__).parent


def document(cards: Sequence[Card]) -> str:
    """The HTML of scorecards.

    Args:
        cards: One for each model, which becomes a column.
    """
    return html_file(
        {"title": "Scorecard", "models": _models(cards), "sections": _sections(cards)},
        styles=[_HERE / "scorecard.css"],
        scripts=[_HERE / "scorecard.js"],
    )


def _models(cards: Sequence[Card]) -> list[dict[str, Any]]:
    return [
        {
            "name": card.name,
            "kind": card.kind,
            "parameters": card.parameters,
            "unmeasured": card.unmeasured,
            "records": card.records,
        }
        for card in cards
    ]


def _sections(cards: Sequence[Card]) -> list[dict[str, Any]]:
    """Rows by section, each with a cell for every model, null where nothing was measured."""
    by_place = [{(e.section, e.label): e for e in card.entries} for card in cards]
    return [
        {
            "title": section.value,
            "rows": [
                {"label": label, "cells": [_cell(own.get((section, label))) for own in by_place]}
                for _, label in rows
            ],
        }
        for section, rows in groupby(rows_of(cards), key=lambda row: row[0])
    ]


def _cell(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "value": entry.value,
        "stderr": entry.stderr,
        "n": entry.n,
        "chance": entry.chance,
        "unit": entry.unit,
        "profile": entry.profile,
        "shown": shown(entry) if entry.unit == COUNT else None,
        "metric": entry.metric,
    }
