"""What a misspelt word was probably meant to be."""

import difflib
from collections.abc import Iterable

# Words of other libraries for what has another name here.
_OTHER_WORDS = {
    "batch": "batch_size",
    "dim": "d_model",
    "embed_dim": "d_model",
    "epochs": "exposures",
    "hidden_size": "d_model",
    "n_embd": "d_model",
    "n_epochs": "exposures",
    "population": "n_people",
}


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to one, if any is near.

    Near are other spellings (``batchsize``), initials (``lr``), words of other libraries
    (``hidden_size``), and words with a few letters changed.
    """
    known = list(dict.fromkeys(known))
    plain = _plain(word)
    meant = _OTHER_WORDS.get(plain)
    for one in known:
        if one == meant or _squeezed(one) == _squeezed(word) or _initials(one) == plain:
            return one
    by_plain = {_plain(one): one for one in known}
    found = difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.6)
    return by_plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message, as ``; did you mean WORD?``; empty if no known word is near."""
    found = suggestion(word, known)
    return f"; did you mean {found}?" if found else ""


def _plain(word: str) -> str:
    """A word in this project's spelling: lower case, counts beginning with ``n_``."""
    word = word.lower().replace("-", "_")
    return f"n_{word.removeprefix('num_')}" if word.startswith("num_") else word


def _squeezed(word: str) -> str:
    return _plain(word).replace("_", "").removesuffix("s")


def _initials(word: str) -> str:
    parts = word.split("_")
    return "".join(part[:1] for part in parts) if len(parts) > 1 else word
