"""Classes and true distributions of the tokens of a grammar's strings."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from physlm.data.annotation import AnnotatedDocuments

if TYPE_CHECKING:
    from physlm.data.cfg.corpus import CfgCorpus
    from physlm.data.cfg.derivation import Strings

FIRST, INSIDE = "first", "inside"


def annotated_strings(corpus: "CfgCorpus", n_tokens: int) -> AnnotatedDocuments:
    """Fresh strings, each a group.

    The class of a token says how many subtrees end just before it: ``inside`` if none ends, so that
    it is inside a lowest subtree, else ``level_L`` with the smallest level L whose subtree ends, so
    that ``level_2`` begins a new child of the root. The first token is ``first``.

    The truth is the grammar's next-token distribution; token ids are in its order, end-of-text
    last.

    Args:
        corpus: The corpus of the grammar.
        n_tokens: About how many tokens.
    """
    n_strings = max(1, round(n_tokens / (1 + corpus.grammar.mean_length)))
    strings = corpus.measured(n_strings, "annotated", derivations=True)
    documents = corpus.documents(strings)
    truth = _truth(corpus, strings)
    return AnnotatedDocuments(
        documents=documents,
        groups=np.arange(n_strings),
        classes=_classes(strings),
        entropy_nats=-np.sum(truth * np.log(truth, where=truth > 0, out=0 * truth), axis=1).astype(
            np.float64
        ),
        truth=truth,
    )


def _classes(strings: "Strings") -> np.ndarray:
    """Class of each token of the documents, end-of-text included."""
    assert strings.derivations is not None
    level = strings.derivations.deepest_boundary
    names = np.where(level > 0, np.char.add("level_", level.astype("U3")), INSIDE)
    # What ends at a token decides the class of the one after it.
    before = np.concatenate([[FIRST], names[:-1]]).astype("U12")
    before[strings.starts[:-1]] = FIRST
    return np.insert(before, strings.starts[:-1], FIRST)


def _truth(corpus: "CfgCorpus", strings: "Strings") -> Float32[np.ndarray, "tokens vocab"]:
    """True distribution of each token of the documents, NaN at end-of-text."""
    n_tokens = len(strings.tokens) + len(strings)
    found = np.full((n_tokens, corpus.vocabulary.size), np.nan, dtype=np.float32)
    row = 0
    for string in strings:
        rows = corpus.grammar.next_token_distribution(string)[:-1]
        # The grammar's first column is the end of the string; ours is the last.
        found[row + 1 : row + 1 + len(rows)] = np.roll(rows, -1, axis=1)
        row += 1 + len(rows)
    return found
