"""Attention statistics of models trained on grammars, with the effect of distance removed.

A[j, i] is the attention of token j to an earlier token i. B[j, i] is A[j, i] minus the mean of A
over all pairs at the same distance. B is averaged over pairs that the true derivation selects.
Levels are those of the deepest boundary b#, from 2 to L - 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.models.language_model import LanguageModel

OFFSETS = (-2, -1, 0, 1, 2)
CENTRE = OFFSETS.index(0)
MOST_APART = 4  # maximum number of subtrees between two ends

# L layers, H heads, T positions, D distances, V inner levels, O offsets, R subtrees apart.


@dataclass(frozen=True, slots=True)
class AttentionStatistics:
    """Means over strings, for every layer and head; NaN where no pair exists.

    Attributes:
        by_distance: Mean of A over pairs at each distance.
        at_boundary: Mean of B over all later queries j, and keys i such that position i + offset is
            a boundary of the level.
        end_to_end: Mean of B over keys i and queries j such that i + offset and j + offset are
            boundaries; axes are the query's level and offset, then the key's.
        adjacent: Mean of B over boundaries j and i, by the levels of both and the number of
            subtrees of the key's level between them.
        n_strings: Number of measured strings.

    Source:
        Physics of Language Models, Part 1, results 6 to 9.
    """

    by_distance: Float[np.ndarray, "layers heads distances"]
    at_boundary: Float[np.ndarray, "layers heads levels offsets"]
    end_to_end: Float[np.ndarray, "layers heads levels offsets levels offsets"]
    adjacent: Float[np.ndarray, "layers heads levels levels apart"]
    n_strings: int

    def arrays(self) -> dict[str, np.ndarray]:
        """The means as arrays, by name."""
        return {
            "by_distance": self.by_distance,
            "at_boundary": self.at_boundary,
            "end_to_end": self.end_to_end,
            "adjacent": self.adjacent,
        }


def attention_statistics(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings
) -> AttentionStatistics:
    """Measure a model's attention on strings whose derivations are known."""
    assert strings.derivations is not None
    longest = int(strings.lengths.max())
    by_distance = _means_by_distance(model, corpus, strings, longest)
    sums: list[np.ndarray] = []
    deepest = strings.derivations.deepest_boundary
    n_levels = len(corpus.grammar.levels)
    for i, maps in enumerate(attention_of(model, corpus, strings)):
        span = slice(strings.starts[i], strings.starts[i + 1])
        subtrees = strings.derivations.subtrees[1:-1, span]
        parts = _string_sums(maps, by_distance, deepest[span], subtrees, n_levels)
        sums = parts if not sums else [a + b for a, b in zip(sums, parts, strict=True)]
    boundary, n_boundary, ends, n_ends, adjacent, n_adjacent = sums
    return AttentionStatistics(
        by_distance=by_distance,
        at_boundary=_ratio(boundary, n_boundary),
        end_to_end=_ratio(ends, n_ends),
        adjacent=_ratio(adjacent, n_adjacent),
        n_strings=len(strings),
    )


def attention_of(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings
) -> Iterator[Float[np.ndarray, "layers heads seq seq"]]:
    """Attention between the tokens of each string, without the end-of-text before it."""
    documents = corpus.documents(strings)
    for i in range(len(strings)):
        row = documents.tokens[documents.starts[i] : documents.starts[i + 1]]
        with torch.inference_mode():
            tokens = torch.from_numpy(row).long()[None].to(model.device)
            maps = torch.stack([found[0] for _, found in model.attention_patterns(tokens)])
        yield maps[:, :, 1:, 1:].float().cpu().numpy()


def _means_by_distance(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, longest: int
) -> Float[np.ndarray, "layers heads distances"]:
    total, n_pairs = np.zeros(0), np.zeros(longest)
    for maps in attention_of(model, corpus, strings):
        n = maps.shape[-1]
        if total.size == 0:
            total = np.zeros((*maps.shape[:2], longest))
        for distance in range(n):
            total[:, :, distance] += np.trace(maps, -distance, axis1=2, axis2=3)
        n_pairs[:n] += np.arange(n, 0, -1)
    return _ratio(total, n_pairs)


def _string_sums(
    maps: Float[np.ndarray, "layers heads seq seq"],
    by_distance: Float[np.ndarray, "layers heads distances"],
    deepest: np.ndarray,
    subtrees: np.ndarray,
    n_levels: int,
) -> list[np.ndarray]:
    """Sums and pair counts of the boundary, end-to-end and adjacent means, over one string."""
    n = len(deepest)
    is_end = deepest == np.arange(2, n_levels)[:, None]  # V T
    shifted = np.stack([_shifted(is_end, offset) for offset in OFFSETS], axis=1)  # V O T
    marks, shape = shifted.reshape(-1, n).astype(np.float32), shifted.shape[:2]
    is_past = np.tri(n, dtype=np.float32)
    boundary, ends, adjacent = [], [], []
    for layer, means in zip(maps, by_distance, strict=True):  # one layer at a time, to save memory
        residual = layer - _spread(means, n)
        boundary.append((residual.sum(axis=1) @ marks.T).reshape(-1, *shape))
        ends.append((marks @ residual @ marks.T).reshape(-1, *shape, *shape))
        sums, n_adjacent = _adjacent_sums(residual, deepest, subtrees, n_levels)
        adjacent.append(sums)
    return [
        np.stack(boundary).astype(np.float64),
        (is_past.sum(axis=0) @ marks.T).reshape(shape),
        np.stack(ends).astype(np.float64),
        (marks @ is_past @ marks.T).reshape(*shape, *shape),
        np.stack(adjacent),
        n_adjacent,
    ]


def _spread(
    by_distance: Float[np.ndarray, "heads distances"], n: int
) -> Float[np.ndarray, "heads seq seq"]:
    """The mean attention at the distance of each pair; 0 for keys after the query."""
    distance = np.arange(n)[:, None] - np.arange(n)
    spread = np.where(distance >= 0, by_distance[:, np.maximum(distance, 0)], 0.0)
    return spread.astype(np.float32)


def _shifted(marks: np.ndarray, offset: int) -> np.ndarray:
    """True at i if ``marks`` is true at i + offset."""
    out = np.zeros_like(marks)
    n = marks.shape[1]
    if offset >= 0:
        out[:, : n - offset] = marks[:, offset:]
    else:
        out[:, -offset:] = marks[:, :offset]
    return out


def _adjacent_sums(
    residual: Float[np.ndarray, "heads seq seq"],
    deepest: np.ndarray,
    subtrees: np.ndarray,
    n_levels: int,
) -> tuple[np.ndarray, np.ndarray]:
    n_inner = n_levels - 2
    sums = np.zeros((len(residual), n_inner, n_inner, MOST_APART + 1))
    n_pairs = np.zeros((n_inner, n_inner, MOST_APART + 1))
    ends = np.flatnonzero(deepest)
    for key_level in range(n_inner):
        keys = ends[deepest[ends] == key_level + 2]
        apart = subtrees[key_level][ends][:, None] - subtrees[key_level][keys]
        is_near = (ends[:, None] > keys) & (apart <= MOST_APART)
        rows, columns = np.nonzero(is_near)
        values = residual[:, ends[rows], keys[columns]]
        at = (deepest[ends[rows]] - 2, apart[rows, columns])
        # np.add.at, because several pairs can fall into one cell, and += would add only one.
        np.add.at(n_pairs[:, key_level], at, 1.0)
        target = np.moveaxis(sums[:, :, key_level], 0, -1)
        np.add.at(target, at, values.T)
    return sums, n_pairs


def _ratio(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Means; NaN where there are no pairs."""
    means: np.ndarray = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return means
