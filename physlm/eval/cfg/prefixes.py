"""Clean and corrupted prefixes of strings, and whether a model continues them correctly."""

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
    """Prefixes as token ids, end-of-text first.

    Attributes:
        read: What the model reads.
        meant: The clean prefix that each stands for.
        n_tokens: Approximate length of the clean prefixes.
    """

    read: list[Int[np.ndarray, " _tokens"]]
    meant: list[Int[np.ndarray, " _meant"]]
    n_tokens: int


def longer_strings(corpus: CfgCorpus, n: int, n_tokens: int) -> Strings:
    """At most n clean strings of more than ``n_tokens`` tokens."""
    fraction = corpus.grammar.length_distribution[n_tokens + 1 :].sum()
    n_drawn = int(n / fraction * 1.5) + 50
    strings = corpus.measured(n_drawn, "robustness", derivations=True)
    is_longer = strings.lengths > n_tokens
    is_longer &= is_longer.cumsum() <= n
    return strings.chosen(is_longer)


def prefixes_of(
    corpus: CfgCorpus, clean: Strings, n_tokens: int, kind: CorruptionKind | None, rate: float
) -> Prefixes:
    """Prefixes of strings, corrupted if asked for, with the clean prefixes that they stand for.

    Args:
        corpus: The corpus of the grammar.
        clean: Strings of more than ``n_tokens`` tokens.
        n_tokens: Length of a clean prefix.
        kind: What is corrupted; None for nothing.
        rate: Fraction of tokens or symbols that are corrupted.
    """
    documents = corpus.documents(clean)
    rows = [documents.tokens[a:] for a in documents.starts[:-1]]
    if kind is None:
        cut = [row[: n_tokens + 1] for row in rows]
        return Prefixes(cut, cut, n_tokens)
    key = stream_key(corpus.seed, "robustness", kind.value)
    result = corrupt(corpus.grammar, clean, kind, rate, key)
    corrupted = corpus.documents(result.strings)
    read, meant = [], []
    for i, start in enumerate(corrupted.starts[:-1]):
        string = slice(result.strings.starts[i], result.strings.starts[i + 1])
        n_meant = result.n_meant[string][:n_tokens]
        # Cut where a replaced symbol ends: only there is the clean prefix known.
        n_read = int(np.flatnonzero(n_meant > 0)[-1]) + 1
        read.append(corrupted.tokens[start : start + n_read + 1])
        meant.append(rows[i][: n_meant[n_read - 1] + 1])
    return Prefixes(read, meant, n_tokens)


def is_continued(
    model: LanguageModel,
    corpus: CfgCorpus,
    prefixes: Prefixes,
    *,
    temperature: float,
    batch_size: int,
) -> Bool[np.ndarray, " strings"]:
    """Whether each clean prefix with the model's continuation is in the language.

    Args:
        model: The model that generates.
        corpus: The corpus of the grammar.
        prefixes: What the model reads, and the clean prefixes.
        temperature: Sampling temperature.
        batch_size: Strings per batch.
    """
    n_read = max(map(len, prefixes.read)) - 1
    written = write(
        model,
        corpus,
        prefixes.read,
        prefixes.meant,
        temperature=temperature,
        batch_size=batch_size,
        n_new=corpus.grammar.longest + prefixes.n_tokens - n_read + 1,
    )
    return written.is_valid(corpus.grammar)
