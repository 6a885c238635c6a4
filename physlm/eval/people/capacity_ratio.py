"""The capacity ratio and its parts, from item losses."""

import math

import numpy as np
from jaxtyping import Float, Int64

from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.eval.people.item_losses import ItemLosses
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Metric

BITS_PER_NAT = 1 / math.log(2)


def capacity_metrics(
    losses: ItemLosses, corpus: KnowledgeCorpus, n_parameters: int
) -> list[Metric]:
    """The capacity ratio and its parts, from item losses.

    R = [name bits + value bits + diversity bits] / P, where for N people
    name bits = N (log2 N0 - name loss), value bits = N sum over counted attributes of
    (log2 of the number of values - value loss), and for bioD
    diversity bits = K D (log2(T^L / D) - first-chunk loss), losses in bits. Nothing is clipped:
    a model worse than the uniform one scores below zero. The ratio of name and value bits alone is
    also reported: if junk people share the diversity sets, it is what the model knows about the
    target people.
    """
    n = corpus.n_people
    name, value = _bits_known(losses, corpus)
    parts = {"name_bits": n * name, "value_bits": n * value}
    if corpus.diversity is not None:
        sets = corpus.diversity
        new = math.log2(sets.n_possible / sets.n_strings)
        parts["diversity_bits"] = sets.n_strings * (
            len(corpus.attributes) * new - losses.first_chunk.sum(axis=1) * BITS_PER_NAT
        )
    total = sum(parts.values(), start=np.zeros(len(name)))
    of_people = n * (name + value) / n_parameters
    return [
        _mean("bits_per_parameter", total / n_parameters, "bits/parameter"),
        _mean("name_value_bits_per_parameter", of_people, "bits/parameter"),
        Metric(
            name="capacity/maximum_bits_per_parameter",
            unit="bits/parameter",
            n=n,
            value=corpus.maximum_bits / n_parameters,
        ),
        _mean("total_bits", total, "bits"),
        *(_mean(part, bits, "bits") for part, bits in parts.items()),
        *(
            _mean("accuracy", losses.is_right[:, i], "fraction", attribute=attribute.name)
            for i, attribute in enumerate(corpus.attributes)
        ),
    ]


def frequency_metrics(
    losses: ItemLosses,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    n_parameters: int,
) -> list[Metric]:
    """Knowledge by the number of biographies per epoch; empty if it is the same for all people.

    ``fraction_learned`` is the fraction of value bits learned, and
    ``name_value_bits_per_parameter`` the group's part of the capacity ratio.

    Args:
        losses: Losses of the measured people.
        corpus: The world of the people.
        people: Indices of the measured people.
        n_parameters: Number of parameters of the model.
    """
    frequencies = corpus.frequencies
    every = np.unique(frequencies)
    if len(every) == 1:
        return []
    name, value = _bits_known(losses, corpus)
    metrics = []
    for frequency in every.tolist():
        is_in = frequencies[people] == frequency
        total = (frequencies == frequency).sum() * (name + value)[is_in] / n_parameters
        metrics += [
            _mean("name_value_bits_per_parameter", total, "bits/parameter", frequency=frequency),
            _mean(
                "fraction_learned",
                value[is_in] / corpus.value_bits,
                "fraction",
                frequency=frequency,
            ),
        ]
    return metrics


def _bits_known(
    losses: ItemLosses, corpus: KnowledgeCorpus
) -> tuple[Float[np.ndarray, " people"], Float[np.ndarray, " people"]]:
    """Bits known about each person's name and values."""
    counted = [i for i, a in enumerate(corpus.attributes) if a.is_counted]
    name = math.log2(corpus.n_names) - losses.name * BITS_PER_NAT
    return name, corpus.value_bits - losses.value[:, counted].sum(axis=1) * BITS_PER_NAT


def _mean(name: str, per_person: Float[np.ndarray, " people"], unit: str, **dims: Dim) -> Metric:
    return mean(f"capacity/{name}", per_person, unit, split="train", **dims)
