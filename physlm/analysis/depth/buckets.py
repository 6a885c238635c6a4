"""Groups of tokens by their frequency in a corpus."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from physlm.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Groups of tokens; every token of the vocabulary is in one.

    Attributes:
        names: Names of the groups, the most frequent tokens first.
        of_token: Group of each token.
        corpus_fraction: Fraction of the corpus in each group.
    """

    names: tuple[str, ...]
    of_token: Int[np.ndarray, " vocab"]
    corpus_fraction: Float[np.ndarray, " groups"]

    def membership(self) -> Float[Tensor, "vocab groups"]:
        """1 where a token is in a group, and 0 elsewhere."""
        return torch.nn.functional.one_hot(torch.from_numpy(self.of_token), len(self.names)).float()

    def of(self, tokens: pl.Series) -> pl.Series:
        """Name of the bucket of each token.

        Raises:
            InputError: If a token is not in the vocabulary.
        """
        ids = tokens.to_numpy()
        if len(ids) and ids.max() >= len(self.of_token):
            raise InputError(
                f"token {ids.max()} is in no bucket, since the buckets have {len(self.of_token)} "
                "tokens; count tokens of the model's own vocabulary"
            )
        return pl.Series(self.of_token[ids]).replace_strict(dict(enumerate(self.names)))


def by_rank(
    counts: Real[np.ndarray, " vocab"], edges: tuple[int, ...] = (10, 100, 1000)
) -> Buckets:
    """Tokens by the rank of their count: ``top_10`` are the 10 most frequent ones.

    ``top_100`` are the next ones up to rank 100, and so on, and ``rest`` the tokens after the last
    edge. Tokens of equal count are ranked by their id.

    Raises:
        InputError: If the edges do not ascend within the vocabulary, or a count is negative.
    """
    order = _descending(counts)
    if list(edges) != sorted(set(edges)) or not 0 < edges[0] <= edges[-1] < len(counts):
        raise InputError(
            f"buckets={list(edges)}; must be ascending ranks below the {len(counts)} tokens of the "
            "vocabulary; give other edges, or bucket_mass for a small vocabulary"
        )
    names = (*(f"top_{edge}" for edge in edges), "rest")
    of_rank = np.searchsorted(edges, np.arange(len(counts)), side="right")
    return _buckets(counts, order, of_rank, names)


def by_mass(
    counts: Real[np.ndarray, " vocab"], cuts: tuple[float, ...] = (0.25, 0.5, 0.75)
) -> Buckets:
    """Tokens by cumulative frequency, for small vocabularies.

    ``mass_25`` are the most frequent tokens that begin within the first 25% of the corpus when
    tokens are ordered by count, ``mass_50`` those that begin within the next 25%, and so on. Tokens
    of equal count are ordered by their id.

    Raises:
        InputError: If the cuts do not ascend between 0 and 1, or a count is negative.
    """
    order = _descending(counts)
    if list(cuts) != sorted(set(cuts)) or not 0 < cuts[0] <= cuts[-1] < 1:
        raise InputError(f"bucket_mass={list(cuts)}; must ascend between 0 and 1; give other cuts")
    fractions = counts[order] / counts.sum()
    names = (*(f"mass_{100 * cut:g}" for cut in cuts), "rest")
    # Sums of fractions are rounded: a token that begins at a cut must not begin just before it.
    before = np.cumsum(fractions) - fractions + 1e-12
    return _buckets(counts, order, np.searchsorted(cuts, before, side="right"), names)


def count_tokens(tokens: Int[np.ndarray, " n"], n_tokens: int) -> Float[np.ndarray, " vocab"]:
    """How often each token of a vocabulary occurs in a corpus."""
    return np.bincount(tokens, minlength=n_tokens).astype(np.float64)


def read_fractions(path: Path, n_tokens: int) -> Float[np.ndarray, " vocab"]:
    """Fraction of a corpus of each token, from a JSON file ``{token id: {"ratio": fraction}}``.

    Tokens that the file does not list have a fraction of 0.

    Args:
        path: The file.
        n_tokens: Size of the model's vocabulary.

    Raises:
        InputError: If the file has another format, or counts a larger vocabulary.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        ids = np.array([int(token) for token in entries], dtype=np.int64)
        ratios = np.array([float(entry["ratio"]) for entry in entries.values()])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path} is not a count file, {{token id: {{"ratio": fraction}}}}; give another file'
        ) from error
    if len(ids) == 0 or ids.min() < 0 or ids.max() >= n_tokens:
        counted = f"token {ids.max()}" if len(ids) else "no token"
        raise InputError(
            f"{path} counts {counted} and the model has {n_tokens} tokens; give counts of the "
            "model's own tokenizer"
        )
    if not np.isfinite(ratios).all() or ratios.min() < 0 or not 0 < ratios.sum() < 1.001:
        raise InputError(f"{path}: ratios sum to {ratios.sum():g}; must be fractions of 1")
    fractions = np.zeros(n_tokens)
    fractions[ids] = ratios
    return fractions


def _descending(counts: Real[np.ndarray, " vocab"]) -> Int[np.ndarray, " vocab"]:
    if counts.min() < 0 or not counts.sum() > 0:
        raise InputError("token counts must be at least 0, and not all 0; count another corpus")
    return np.argsort(-counts, kind="stable")


def _buckets(
    counts: Real[np.ndarray, " vocab"],
    order: Int[np.ndarray, " vocab"],
    of_rank: Int[np.ndarray, " vocab"],
    names: tuple[str, ...],
) -> Buckets:
    of_token = np.empty(len(counts), dtype=np.int64)
    of_token[order] = of_rank
    totals = np.bincount(of_token, weights=counts, minlength=len(names))
    return Buckets(names, of_token, totals / counts.sum())
