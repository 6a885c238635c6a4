"""Answers read from a line of free text: dates, years, yes or no, places and names."""

import contextlib
import datetime
import re
import unicodedata

from physlm.data.people.pools import MONTHS
from physlm.data.public.figures import Figure, written

_YEAR = re.compile(r"\b1[5-9]\d\d\b|\b20\d\d\b")
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in MONTHS)
_DATES = (
    re.compile(rf"\b(?P<m>{_MONTH})\.? (?P<d>\d\d?)(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.I),
    re.compile(
        rf"\b(?P<d>\d\d?)(?:st|nd|rd|th|\.)?(?: of)? (?P<m>{_MONTH})\.?,? (?P<y>\d{{4}})\b", re.I
    ),
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)\b"),
)
_END = re.compile(r"[,;(]|(?<=\w{3})\.(?: |$)")
_LEADS = {"in", "at", "near", "is", "was"}  # words before the value in a sentence
_MOST_NAMES = 6


def dates(line: str) -> set[str]:
    """The dates of a line, in the form that questions use."""
    found = set()
    for pattern in _DATES:
        for match in pattern.finditer(line):
            month = match["m"]
            number = int(month) if month.isdigit() else _MONTH_NUMBERS[month[:3].lower()]
            with contextlib.suppress(ValueError):  # no such day in the month
                found.add(written(datetime.date(int(match["y"]), number, int(match["d"]))))
    return found


def years(line: str) -> set[str]:
    """The years of a line."""
    return set(_YEAR.findall(line))


def yes_or_no(line: str) -> set[str]:
    """The first word of a line, if it is yes or no."""
    first = _plain(line).partition(" ")[0]
    return {answer for answer in ("Yes", "No") if answer.lower() == first}


def is_place(line: str, figure: Figure) -> bool:
    """Whether a line gives a person's birthplace, alone or at the end of a sentence."""
    return _value(line) in [_plain(p).split() for p in (figure.birthplace, *figure.other_places)]


def is_name(line: str, figure: Figure) -> bool:
    """Whether a line gives a person's name, alone or at the end of a sentence.

    Middle names may be omitted, shortened or added.
    """
    given = _value(line)
    names = [_plain(name).split() for name in (figure.name, *figure.other_names)]
    return given in names or any(
        1 < len(given) < _MOST_NAMES and (given[0], given[-1]) == (name[0], name[-1])
        for name in names
    )


def _plain(text: str) -> str:
    """The words of a text without accents, case and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = (c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(letters).split())


def _value(line: str) -> list[str]:
    """The words of a line's first clause; in a sentence, those after its verb or preposition."""
    words = _plain(_END.split(line)[0]).split()
    leads = [i for i, word in enumerate(words) if word in _LEADS]
    is_sentence = bool(leads) and "not" not in words
    return words[leads[-1] + 1 :] if is_sentence else words


_MONTH_NUMBERS = {month[:3].lower(): number for number, month in enumerate(MONTHS, 1)}
