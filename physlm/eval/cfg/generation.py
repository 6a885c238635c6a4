"""Strings that a model writes, from their start or from a beginning."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.grammar import Grammar
from physlm.errors import InputError
from physlm.eval.generate import Generated, Sampling, generate
from physlm.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Written:
    """Strings a model wrote, their beginnings included.

    Attributes:
        strings: In the grammar's tokens, without the end.
        is_ended: Whether the model ended them.
    """

    strings: Strings
    is_ended: Bool[np.ndarray, " strings"]

    def is_valid(self, grammar: Grammar) -> Bool[np.ndarray, " strings"]:
        """Which strings the model ended, and are in the language."""
        is_valid: np.ndarray = self.is_ended & grammar.accepts_batch(self.strings)
        return is_valid


def write(
    model: LanguageModel,
    corpus: CfgCorpus,
    prompts: Sequence[np.ndarray],
    meant: Sequence[np.ndarray],
    *,
    n_new: int,
    temperature: float,
    batch_size: int,
) -> Written:
    """Have a model go on after prompts, which stand for what was ``meant``; both begin with eos.

    It writes ``n_new`` tokens at most, or what its window holds.
    """
    if model.longest_window is not None:
        n_new = min(n_new, model.longest_window - max(map(len, prompts)) + 1)
    sampling = Sampling(
        max_new_tokens=n_new,
        eos=corpus.vocabulary.eos,
        temperature=temperature,
        batch_size=batch_size,
        is_compiled=model.device.type == "cuda",
    )
    return joined(corpus, meant, generate(model, prompts, sampling, seed=corpus.seed))


def joined(corpus: CfgCorpus, prompts: Iterable[np.ndarray], generated: Generated) -> Written:
    """Prompts, which begin with end-of-text, and what a model wrote after them, as strings."""
    rows = zip(prompts, generated.tokens, strict=True)
    # End-of-text cannot stand inside: the model's first one ended the string.
    strings = Strings.of(corpus.string(np.concatenate([p[1:], new])) for p, new in rows)
    return Written(strings, generated.is_ended)


def sampled_beginnings(corpus: CfgCorpus, n: int, prefix: int) -> np.ndarray:
    """End-of-text and the first tokens of n strings that have more of them.

    Raises:
        InputError: If hardly any string has.
    """
    rows = np.empty((0, prefix + 1), dtype=np.int64)
    for attempt in range(1, 1000):
        strings = corpus.measured(2 * n, "beginnings", str(attempt))
        is_longer = strings.lengths > prefix
        rows = np.concatenate([rows, corpus.documents(strings).rows(0)[is_longer, : prefix + 1]])
        if len(rows) >= n:
            return rows[:n]
    raise InputError(f"prefixes: hardly any string of this grammar has more than {prefix} tokens")
