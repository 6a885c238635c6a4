"""Notation of symbols in grammar files: bare, or in quotation marks where the bare form fails."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_PIECE = re.compile(
    r"""\s*(?:
      (?P<comment>\#.*)
    | (?P<quoted>"(?:[^"\\]|\\.)*")(?=\s|\||->|$)
    | (?P<bare>->|\||[^\s|"](?:(?!->)[^\s|])*)
    )""",
    re.VERBOSE,
)

_UNCLEAR = 'write "#" in quotation marks where it is a symbol, and a comment on a line of its own'


class Word(NamedTuple):
    """A symbol or a mark: ``"->"`` in quotation marks is a symbol, without them the arrow."""

    text: str
    is_quoted: bool = False


ARROW, BAR = Word("->"), Word("|")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file.

    Attributes:
        number: Line number, from 1.
        text: The line as written.
        words: Words before the comment.
        comment: The text from ``#`` to the end; empty if there is none.
    """

    number: int
    text: str
    words: tuple[Word, ...]
    comment: str

    def refused(self, why: str) -> ValueError:
        """The error that names this line."""
        text = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return ValueError(f"line {text!r}; {why} (line {self.number})")


def read_lines(text: str) -> list[Line]:
    """The lines of a file, split into words.

    Bare words are normalised to Unicode's composed form, so that letters that look the same are
    the same.

    Raises:
        ValueError: Naming the line, if a quotation mark is not closed or a character is invisible.
    """
    return [_read(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]


def symbols(text: str) -> list[str]:
    """The symbols of a string; ``->`` and ``|`` are symbols here, comments are refused.

    Raises:
        ValueError: If there is a comment, or a symbol cannot be read.
    """
    lines = read_lines(text)
    for line in lines:
        if line.comment:
            raise line.refused(_UNCLEAR)
    return [word.text for line in lines for word in line.words]


def written(symbol: str) -> str:
    """A symbol as grammar files write it, bare if possible."""
    if _reads_bare(symbol):
        return symbol
    return json.dumps(symbol, ensure_ascii=not (symbol.isprintable() and _is_composed(symbol)))


def require_clear_comments(lines: Sequence[Line]) -> None:
    """Refuse comments that may have been meant as symbols of their line.

    A comment after the terminals may be further terminals if rules use all of its words. A comment
    after a rule may be symbols if the file has a rule for a symbol that begins with ``#``.

    Raises:
        ValueError: Naming the line.
    """
    rules = [line for line in lines if line.words and not is_terminals(line)]
    used = {word.text for line in rules for word in line.words}
    used |= {text for line in rules for text in line.comment.lstrip("#").split()}
    symbols = {word.text for line in lines for word in line.words}
    symbols |= {line.comment.partition("->")[0].strip() for line in lines if "->" in line.comment}
    for line in lines:
        if not line.comment or not line.words:
            continue
        may_be_terminals = used.issuperset(line.comment.lstrip("#").split())
        if may_be_terminals if is_terminals(line) else line.comment.split()[0] in symbols:
            raise line.refused(_UNCLEAR)


def is_terminals(line: Line) -> bool:
    """Whether a line names the terminals."""
    return line.words[:1] == (Word("terminals"),) and ARROW not in line.words


def _read(number: int, text: str) -> Line:
    words: list[Word] = []
    place, comment = 0, ""
    while place < len(text):
        found = _PIECE.match(text, place)
        if found is None:
            raise Line(number, text, (), "").refused(
                r'close the quotation mark and put a blank after it; the symbol itself is "\""'
            )
        place = found.end()
        if found["comment"]:
            comment = found["comment"]
        else:
            words.append(_word(found, Line(number, text, (), "")))
    return Line(number, text, tuple(words), comment)


def _word(found: "re.Match[str]", line: Line) -> Word:
    if found["bare"]:
        if not found["bare"].isprintable():
            raise line.refused(
                f"{found['bare']!r} contains an invisible character; remove it, or write the "
                "symbol in quotation marks"
            )
        return Word(unicodedata.normalize("NFC", found["bare"]))
    try:
        symbol = json.loads(found["quoted"])
        symbol.encode()
    except ValueError as error:
        raise line.refused(
            f'{found["quoted"]} is not a JSON string; between quotation marks write \\" and \\\\ '
            "for a quotation mark and a backslash"
        ) from error
    return Word(symbol, is_quoted=True)


def _reads_bare(symbol: str) -> bool:
    found = _PIECE.fullmatch(symbol)
    is_bare = found is not None and found["bare"] == symbol and symbol.isprintable()
    return is_bare and symbol not in (ARROW.text, BAR.text) and _is_composed(symbol)


def _is_composed(symbol: str) -> bool:
    return unicodedata.is_normalized("NFC", symbol)
