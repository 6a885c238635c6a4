"""Attention statistics as metrics: means over layers and heads, and peaks."""

import numpy as np
from jaxtyping import Float

from physlm.analysis.attention_statistics import CENTRE, MOST_APART, OFFSETS, AttentionStatistics
from physlm.measurement import Metric

_DISTANCES = (0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256)


def attention_metrics(found: AttentionStatistics) -> list[Metric]:
    """Means over layers and heads, and peaks, as metrics; statistics without pairs are left out."""
    by_distance = found.by_distance.mean(axis=(0, 1))
    boundary, ends = found.at_boundary.mean(axis=(0, 1)), found.end_to_end.mean(axis=(0, 1))
    adjacent = found.adjacent.mean(axis=(0, 1))
    levels = range(2, len(boundary) + 2)
    values = [
        *(
            ("by_distance", by_distance[d], {"distance": d})
            for d in _DISTANCES
            if d < len(by_distance)
        ),
        *(
            ("at_boundary", boundary[v - 2, o], {"level": v, "offset": offset})
            for v in levels
            for o, offset in enumerate(OFFSETS)
        ),
        *(
            ("end_to_end", ends[q - 2, CENTRE, k - 2, CENTRE], {"query_level": q, "key_level": k})
            for q in levels
            for k in levels
        ),
        *(
            ("adjacent", adjacent[q - 2, k - 2, r], {"query_level": q, "key_level": k, "apart": r})
            for q in levels
            for k in levels
            for r in range(MOST_APART + 1)
        ),
        *((name, value, {}) for name, value in peaks(boundary, ends, adjacent).items()),
    ]
    return [
        Metric(
            name=f"attention/{name}",
            value=float(value),
            unit="attention",
            n=found.n_strings,
            dims={"split": "test", **dims},
        )
        for name, value, dims in values
        if np.isfinite(value)
    ]


def peaks(
    boundary: Float[np.ndarray, "levels offsets"],
    ends: Float[np.ndarray, "levels offsets levels offsets"],
    adjacent: Float[np.ndarray, "levels levels apart"],
) -> dict[str, float]:
    """Each attention pattern as one difference, averaged over levels.

    ``boundary_peak`` is attention to keys at a boundary minus that to keys next to it.
    ``end_to_end_peak`` is attention with query and key at ends minus that with one or both next to
    an end. ``adjacent_peak`` is attention to the nearest end of a level minus that to the second
    nearest.
    """
    next_to = np.delete(boundary, CENTRE, axis=1).mean(axis=1)
    centre = ends[:, CENTRE, :, CENTRE]
    n_others = len(OFFSETS) ** 2 - 1
    around = (ends.sum(axis=(1, 3)) - centre) / n_others
    nearest, following = _two_nearest(adjacent)
    differences = {
        "boundary_peak": boundary[:, CENTRE] - next_to,
        "end_to_end_peak": centre - around,
        "adjacent_peak": nearest - following,
    }
    return {
        name: float(np.nanmean(values))
        for name, values in differences.items()
        if np.isfinite(values).any()
    }


def _two_nearest(
    adjacent: Float[np.ndarray, "levels levels apart"],
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Means at the two smallest numbers of subtrees apart, for each pair of levels with both."""
    rows = [row[np.isfinite(row)] for row in adjacent.reshape(-1, adjacent.shape[-1])]
    pairs = np.array([row[:2] for row in rows if len(row) > 1]).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
