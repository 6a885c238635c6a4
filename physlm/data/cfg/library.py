"""Grammars by name: the published ones, random ones of their shapes, and files."""

import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np

from physlm.data.cfg.families import FAMILIES, random_rules
from physlm.data.cfg.formats import from_json, from_text
from physlm.data.cfg.grammar import Grammar
from physlm.rng import stream

_FOLDER = files("physlm.data.cfg") / "grammars"
_MOST_DRAWS = 1000
_N_CHECKED = 200  # strings whose parses are counted


def grammar_names() -> list[str]:
    """The grammars that come with physlm."""
    return sorted(Path(path.name).stem for path in _FOLDER.iterdir() if path.name.endswith(".txt"))


def load_grammar(name_or_path: str | Path) -> Grammar:
    """A grammar by its name (``cfg3f``), its family and seed (``cfg3f:7``), or its file.

    Files ending in ``.json`` are of the released form, others are read by `formats.from_text`.
    A file may be `pinned` to its content.

    Raises:
        ValueError: If there is no such grammar, its rules break a rule of grammars, or a pinned
            file has changed.
    """
    name = str(name_or_path)
    if name in grammar_names():
        return Grammar(from_text((_FOLDER / f"{name}.txt").read_text(encoding="utf-8")))
    family, colon, seed = name.partition(":")
    if family in FAMILIES and colon and seed.isdecimal():
        return random_grammar(family, int(seed))
    file_name, _, digest = name.rpartition("@")
    path = Path(file_name or name)
    if not path.is_file():
        known = ", ".join([*grammar_names(), *(f"{family}:SEED" for family in FAMILIES)])
        raise ValueError(f"grammar={name}: no such grammar or file; there are {known}")
    if file_name and digest != _digest(path):
        raise ValueError(f"grammar={path} has changed; use its name alone, or restore it")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return Grammar(*from_json(text))
        return Grammar(from_text(text))
    except ValueError as error:
        raise ValueError(f"grammar={path}: {error}") from error


def pinned(name: str) -> str:
    """A grammar's name; a file's with a hash, so that another content is another name.

    Names that are pinned already, and files that do not exist, stay as they are.
    """
    path = Path(name)
    if name in grammar_names() or not path.is_file():
        return name
    return f"{name}@{_digest(path)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def random_grammar(family: str, seed: int) -> Grammar:
    """A grammar of a family's shape.

    Those with a unit chain (cfg9) are drawn again until no sampled string has two derivations.

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
    raise ValueError(
        f"{family}:{seed}: no draw of {_MOST_DRAWS} is free of ambiguity; take another"
    )


def _is_unambiguous(grammar: Grammar, rng: np.random.Generator) -> bool:
    strings = grammar.sample(rng, _N_CHECKED)
    return all(grammar.n_parses(string) == 1 for string in strings)
