"""Classes of the tokens of natural text: which kind of word each token begins."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import Documents
from physlm.data.files.word_classes import FUNCTION_CLASSES, PUNCTUATION, token_classes

KIND, FUNCTION = "kind", "function"
BEGINNING = "beginning"  # a token before the text, such as end-of-text


def annotated_texts(
    rows: Sequence[Int64[np.ndarray, " _tokens"]], pieces: Sequence[Sequence[str]]
) -> AnnotatedDocuments:
    """Documents of natural text, each a group, with the class of every token.

    The class is that of the word that a token begins, by a closed list: ``determiner``,
    ``preposition``, ``conjunction``, ``auxiliary``, ``pronoun``, ``punctuation`` or ``content``.
    Tokens that continue a word are ``inside``, special ones before the text ``beginning``. The tag
    ``kind`` is ``function`` for the classes of function words, and else the class.

    Args:
        rows: Token ids of each document.
        pieces: The text of every token; empty for special tokens.
    """
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    classes = np.concatenate([_classes(own) for own in pieces])
    is_function = np.isin(classes, [name for name in FUNCTION_CLASSES if name != PUNCTUATION])
    return AnnotatedDocuments(
        documents=Documents(
            np.concatenate(list(rows)).astype(np.int32), np.concatenate([[0], np.cumsum(lengths)])
        ),
        groups=np.arange(len(rows)),
        classes=classes,
        tags={KIND: np.where(is_function, FUNCTION, classes)},
    )


def _classes(pieces: Sequence[str]) -> np.ndarray:
    n_special = next((i for i, piece in enumerate(pieces) if piece), len(pieces))
    found = [BEGINNING] * n_special + token_classes(list(pieces[n_special:]))
    return np.array(found, dtype="U12")
