"""The user's own texts as a world."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from physlm.data.files.records import records_of, text_of, value_of
from physlm.data.files.text_corpus import TextCorpusConfig
from physlm.errors import InputError
from physlm.memory import require_memory
from physlm.registry import register
from physlm.sources import SOURCE, located, pinned

_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, as JSON can write it
_BYTES_IN_MEMORY = 50  # at least, for each byte of text while it is tokenised


@register("data", "texts")
@dataclass(kw_only=True, slots=True)
class TextsConfig(TextCorpusConfig):
    """Documents of a file; empty ones are left out.

    In a ``.txt`` file blank lines separate documents, so that each paragraph is one. In ``.jsonl``,
    ``.json``, ``.csv`` and ``.parquet`` files each row is one, in the column ``text``.
    """

    source: str = field(default="", metadata=SOURCE)  # the file, pinned to its content

    def validate(self) -> None:
        """Require every value in its range, and the file pinned to its content."""
        TextCorpusConfig.validate(self)
        self.source = pinned(self.source)

    def read(self) -> tuple[str, ...]:
        """All documents of the file, in its order."""
        path = source_file(self.source, "data=texts")
        require_memory({f"data.source={path}": _BYTES_IN_MEMORY * path.stat().st_size})
        return texts_of(path)


def texts_of(path: Path) -> tuple[str, ...]:
    """All documents of a file in one of the formats of ``data=texts``, in its order.

    Raises:
        InputError: If it has another format, or contains no text.
    """
    documents = _paragraphs(path) if path.suffix == ".txt" else _column(path)
    if not documents:
        raise InputError(f"{path} contains no text; give a file with text")
    return documents


def source_file(source: str, world: str) -> Path:
    """The file that a world is read from.

    Args:
        source: Value of ``data.source``.
        world: The world as the command line selects it, for the error.

    Raises:
        InputError: If no source is given, or it is a folder.
        ValueError: If it does not exist, or has changed since it was pinned.
    """
    if not source:
        raise InputError(f"{world} needs data.source; give a file")
    path = located(source)
    if not path.is_file():
        raise InputError(f"data.source={path} is a folder; give a file")
    return path


def _paragraphs(path: Path) -> tuple[str, ...]:
    blocks = re.split(r"\n\s*\n", text_of(path))
    return tuple(text for block in blocks if (text := block.strip()))


def _column(path: Path) -> tuple[str, ...]:
    documents = []
    for i, row in enumerate(records_of(path)):
        text = value_of(row, "text", path, i)
        if not isinstance(text, str) or _SURROGATE.search(text):
            raise InputError(f"{path}: the text of row {i} is {text!r:.40}; must be Unicode text")
        documents += [text] if text.strip() else []
    return tuple(documents)
