"""Grammars by name: published grammars, random grammars of their shapes, and files."""

import codecs
import re
from importlib.resources import files
from pathlib import Path

import numpy as np

from physlm import sources
from physlm.data.cfg.families import FAMILIES, random_rules
from physlm.data.cfg.formats import from_json, from_text
from physlm.data.cfg.grammar import Grammar
from physlm.rng import stream

_FOLDER = files("physlm.data.cfg") / "grammars"
_OF_FAMILY = re.compile(rf"(?P<family>{'|'.join(FAMILIES)}):(?P<seed>0|[1-9][0-9]*)")
_MOST_DRAWS = 1000
_N_CHECKED = 200  # sampled strings that must have one parse


def grammar_names() -> list[str]:
    """The grammars that come with physlm."""
    return sorted(Path(path.name).stem for path in _FOLDER.iterdir() if path.name.endswith(".txt"))


def load_grammar(name_or_path: str | Path) -> Grammar:
    """A grammar by its name (``cfg3f``), its family and seed (``cfg3f:7``), or its file.

    Files ending in ``.json`` have the form of the release, others are read by `formats.from_text`.
    A file may be `pinned` to its content.

    Raises:
        ValueError: If there is no such grammar, its rules do not form a levelled grammar, or a
            pinned file has changed.
    """
    name = str(name_or_path)
    if name in grammar_names():
        return Grammar(from_text((_FOLDER / f"{name}.txt").read_text(encoding="utf-8")))
    if found := _OF_FAMILY.fullmatch(name):
        return random_grammar(found["family"], int(found["seed"]))
    path = sources.path_of(name)
    if not path.is_file():
        known = ", ".join([*grammar_names(), *(f"{family}:SEED" for family in FAMILIES)])
        raise ValueError(f"grammar={name}: no such grammar or file; use one of {known}")
    try:
        content = sources.located(name).read_bytes()
    except ValueError as error:
        raise ValueError(f"grammar={error}") from error
    try:
        text = _decoded(content)
        if path.suffix.lower() == ".json":
            return Grammar(*from_json(text))
        return Grammar(from_text(text))
    except ValueError as error:
        raise ValueError(f"grammar={path}: {error}") from error


def pinned(name: str) -> str:
    """A grammar's name, with a digest of the content if it is a file.

    Names that are already pinned, and files that do not exist, are returned unchanged.
    """
    is_known = name in grammar_names() or _OF_FAMILY.fullmatch(name)
    return name if is_known else sources.pinned(name)


def random_grammar(family: str, seed: int) -> Grammar:
    """A random grammar of a family.

    Grammars with a unit chain (cfg9) are redrawn until no sampled string has two derivations.

    Raises:
        ValueError: If there is no such family, or no draw succeeds.
    """
    if family not in FAMILIES:
        raise ValueError(f"family={family}; one of {', '.join(FAMILIES)}")
    shape = FAMILIES[family]
    if not shape.has_unit_chain:
        return Grammar(random_rules(shape, seed))
    for attempt in range(_MOST_DRAWS):
        rng = stream(seed, "grammar", family, attempt)
        grammar = Grammar(random_rules(shape, int(rng.integers(2**31))))
        if _is_unambiguous(grammar, rng):
            return grammar
    raise ValueError(f"{family}:{seed}: all {_MOST_DRAWS} draws are ambiguous; use another seed")


def _decoded(content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"line {line} is not in UTF-8 (byte {content[error.start]:#x}); save the file as UTF-8"
        ) from error


def _is_unambiguous(grammar: Grammar, rng: np.random.Generator) -> bool:
    strings = grammar.sample(rng, _N_CHECKED)
    return all(grammar.n_parses(string) == 1 for string in strings)
