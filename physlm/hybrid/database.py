"""A full-text index of documents in an embedded database (SQLite, FTS5)."""

import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from physlm.errors import InputError

_N_CANDIDATES = 20  # best hits among which titles are looked for in the question
# A word in the title counts as much as ten in the text: the title names the person of a document.
_SEARCH = (
    "SELECT rowid - 1, title, text, bm25(documents, 10.0, 1.0) AS score FROM documents "
    "WHERE documents MATCH ? ORDER BY score, rowid LIMIT ?"
)
_MAKE = (
    "CREATE VIRTUAL TABLE documents "
    "USING fts5(title, text, tokenize='unicode61 remove_diacritics 2')"
)


class Document(NamedTuple):
    """A document, as it is cited.

    Attributes:
        number: Its number among the documents of the index, from 0.
        title: Name of the person or thing that it is about.
        text: Its text.
    """

    number: int
    title: str
    text: str


class Hit(NamedTuple):
    """A document that was found.

    Attributes:
        document: The document.
        score: Its BM25 score for the question; higher is better.
    """

    document: Document
    score: float


class Database:
    """Documents with an index of all their words.

    Args:
        connection: A database made by `Database.of`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, documents: Iterable[tuple[str, str]], path: Path | None = None) -> "Database":
        """An index of documents.

        Args:
            documents: Title and text of each.
            path: A new file for it; None keeps it in memory.

        Raises:
            InputError: If the file exists or cannot be written, or SQLite has no FTS5.
        """
        if path is not None and path.exists():
            raise InputError(f"{path} exists already; delete it, or name another file")
        try:
            connection = sqlite3.connect(":memory:" if path is None else path)
            connection.execute(_MAKE)
            rows = ((number, *document) for number, document in enumerate(documents, 1))
            insert = "INSERT INTO documents(rowid, title, text) VALUES (?, ?, ?)"
            connection.executemany(insert, rows)
            connection.commit()
        except sqlite3.Error as error:
            raise InputError(f"the database cannot be made: {error}") from error
        return cls(connection)

    def __len__(self) -> int:
        (n,) = self._connection.execute("SELECT count(*) FROM documents").fetchone()
        return int(n)

    def search(self, question: str, n_most: int = 5) -> list[Hit]:
        """The documents that share the rarest words with a question, best first.

        Args:
            question: Any text.
            n_most: Most hits to return.
        """
        words = dict.fromkeys(re.findall(r"\w+", question))
        if not words:
            return []
        rows = self._connection.execute(
            _SEARCH, (" OR ".join(f'"{word}"' for word in words), n_most)
        )
        return [Hit(Document(*row[:3]), -row[3]) for row in rows]

    def about(self, question: str) -> list[Document]:
        """The documents whose titles the question names, in its order; else the best hit."""
        hits = [hit.document for hit in self.search(question, _N_CANDIDATES)]
        places = {document.title: question.find(document.title) for document in reversed(hits)}
        firsts = {document.title: document for document in reversed(hits)}
        named = sorted((place, title) for title, place in places.items() if place >= 0)
        return [firsts[title] for _, title in named] or hits[:1]
