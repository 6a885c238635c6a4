"""Prefixes of strings, clean and corrupted, with what was meant, and how a model goes on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.corruption import CorruptionKind, corrupt
from physlm.data.cfg.derivation import Strings
from physlm.eval.cfg.generation import write
from physlm.models.language_model import LanguageModel
from physlm.rng import stream_key


class Prefixes(NamedTuple):
    """Token ids, with end-of-text before them.

    Attributes:
        read: What the model reads.
        meant: What stands for it.
        n_tokens: About so many tokens of a clean string.
    """

    read: list[Int[np.ndarray, " _tokens"]]
    meant: list[Int[np.ndarray, " _meant"]]
    n_tokens: int


def longer_strings(corpus: CfgCorpus, n: int, n_tokens: int) -> Strings:
    """Clean strings, n at most, that have more than so many tokens."""
    likely = corpus.grammar.length_distribution[n_tokens + 1 :].sum()
    n_drawn = int(n / likely * 1.5) + 50
    strings = corpus.measured(n_drawn, "robustness", derivations=True)
    is_longer = strings.lengths > n_tokens
    is_longer &= is_longer.cumsum() <= n
    return strings.chosen(is_longer)


def prefixes_of(
    corpus: CfgCorpus, clean: Strings, n_tokens: int, kind: CorruptionKind | None, rate: float
) -> Prefixes:
    """Corrupted beginnings of strings, or clean ones, beside what was meant.

    Args:
        corpus: Of the strings.
        clean: They are longer than their beginnings.
        n_tokens: Of a clean beginning.
        kind: What is corrupted; None for nothing.
        rate: Share of it.
    """
    documents = corpus.documents(clean)
    rows = [documents.tokens[a:] for a in documents.starts[:-1]]
    if kind is None:
        cut = [row[: n_tokens + 1] for row in rows]
        return Prefixes(cut, cut, n_tokens)
    key = stream_key(corpus.seed, "robustness", kind.value)
    made = corrupt(corpus.grammar, clean, kind, rate, key)
    corrupted = corpus.documents(made.strings)
    read, meant = [], []
    for i, start in enumerate(corrupted.starts[:-1]):
        string = slice(made.strings.starts[i], made.strings.starts[i + 1])
        n_meant = made.n_meant[string][:n_tokens]
        n_read = int(np.flatnonzero(n_meant > 0)[-1]) + 1
        read.append(corrupted.tokens[start : start + n_read + 1])
        meant.append(rows[i][: n_meant[n_read - 1] + 1])
    return Prefixes(read, meant, n_tokens)


def is_continued(
    model: LanguageModel, corpus: CfgCorpus, begun: Prefixes, *, temperature: float, batch_size: int
) -> Bool[np.ndarray, " strings"]:
    """Whether what was meant is in the language together with what the model writes."""
    n_read = max(map(len, begun.read)) - 1
    written = write(
        model,
        corpus,
        begun.read,
        begun.meant,
        temperature=temperature,
        batch_size=batch_size,
        n_new=corpus.grammar.longest + begun.n_tokens - n_read + 1,
    )
    return written.is_valid(corpus.grammar)
