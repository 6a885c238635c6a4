"""Ablation of the head that attends most to the next token's source, beside other heads."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float

from physlm.analysis.igsm.attention_roles import ORIGINS
from physlm.analysis.igsm.head_ablations import Ablations, Scores
from physlm.eval.scorer import mean
from physlm.measurement import Metric

_P = "igsm_attention"
_UNITS = {"loss_nats": "nats", "accuracy": "fraction"}


def ablation_metrics(ablations: Ablations, tops: Mapping[str, tuple[int, int]]) -> Iterator[Metric]:
    """Loss and accuracy with all heads, without the top head, and without a random other one.

    The mean over all other heads is the expectation of a random one. ``loss_rise`` and
    ``accuracy_drop`` are differences from the model with all heads, within problems.

    Args:
        ablations: Ablations of every head.
        tops: The head of each origin that attends most to the source of what is written.
    """
    for origin, top in tops.items():
        number = ORIGINS.index(origin)
        others = [own for head, own in ablations.without.items() if head != top]
        found = {
            "none": _of(ablations.whole, number),
            "top": _of(ablations.without[top], number),
            "random": np.mean([_of(own, number) for own in others], axis=0),
        }
        for ablated, values in found.items():
            dims = {"from": origin, "ablated": ablated}
            for (name, unit), own in zip(_UNITS.items(), values, strict=True):
                yield mean(f"{_P}/{name}", own, unit, **dims)
            if ablated != "none":
                rise, drop = (values - found["none"]) * np.array([[1], [-1]])
                yield mean(f"{_P}/loss_rise", rise, "nats", **dims)
                yield mean(f"{_P}/accuracy_drop", drop, "fraction", **dims)


def _of(scores: Scores, origin: int) -> Float[np.ndarray, "2 problems"]:
    """Loss and accuracy of the problems that have tokens of an origin."""
    values = np.stack([scores.losses[:, origin], scores.accuracies[:, origin]])
    return values[:, ~np.isnan(values).any(axis=0)]
