"""Everything that the scorer ``igsm_attention`` measures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from physlm.analysis.igsm.ablation_metrics import ablation_metrics
from physlm.analysis.igsm.attention_masses import Masses, attention_masses
from physlm.analysis.igsm.attention_roles import ORIGINS, ROLES, SOURCES
from physlm.analysis.igsm.head_ablations import head_ablations
from physlm.analysis.igsm.text_attention import text_attention
from physlm.data.tasks.igsm.corpus import IgsmCorpus
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.watching import tell

if TYPE_CHECKING:
    from physlm.analysis.igsm.igsm_attention import IgsmAttentionConfig

_P = "igsm_attention"

Pair = tuple[int, int]  # numbers of an origin and of a role
Head = tuple[int, int]  # layer and head, from 0


def measured_attention(
    config: "IgsmAttentionConfig", model: LanguageModel, corpus: IgsmCorpus
) -> Measurement:
    """The measurement of the scorer ``igsm_attention``.

    Heads are chosen on every other problem, and measured on the rest.
    """
    documents = corpus.test_documents(0, config.n_problems)
    is_choosing = np.arange(len(documents)) % 2 == 0
    masses = attention_masses(model, documents)
    untrained = attention_masses(model.untrained(0), documents)
    best = best_heads(masses, is_choosing)
    sources = {own: (ORIGINS.index(own), ROLES.index(role)) for own, role in SOURCES.items()}
    tops = {own: best[pair] for own, pair in sources.items() if pair in best}
    tested = [documents[i] for i in np.flatnonzero(~is_choosing)]
    ablations = head_ablations(model, tested, config.batch_size)
    metrics = (
        *_mass_metrics(masses),
        *_best_metrics(masses, best, ~is_choosing),
        *_untrained_metrics(untrained, best_heads(untrained, is_choosing), ~is_choosing),
        *ablation_metrics(ablations, tops),
    )
    for line in _summary(metrics, tops):
        tell(line)
    arrays = {
        "mass": masses.of_heads.astype(np.float32),
        "untrained_mass": untrained.of_heads.astype(np.float32),
        "uniform_mass": masses.uniform,
        **text_attention(model, documents, tops),
    }
    tables = {
        "igsm_attention": _table(masses, untrained, best),
        "igsm_ablation": ablations.table(tops),
    }
    return Measurement(metrics, arrays, tables)


def best_heads(masses: Masses, chosen: Bool[np.ndarray, " problems"]) -> dict[Pair, Head]:
    """The head with the most mass for each origin and role that occurs in both halves.

    Args:
        masses: Masses of all problems.
        chosen: The problems that heads are chosen on.
    """
    found: dict[Pair, Head] = {}
    for pair in _pairs():
        values = _having(masses.of_heads, pair, chosen)
        if len(values) and len(_having(masses.of_heads, pair, ~chosen)):
            of_heads = values.mean(axis=0)
            layer, head = np.unravel_index(of_heads.argmax(), of_heads.shape)
            found[pair] = (int(layer), int(head))
    return found


def _summary(metrics: Sequence[Metric], tops: Mapping[str, Head]) -> Iterator[str]:
    """One line for the top head of each origin: its attention and its ablation, with controls."""
    values = {metric.text: metric.value for metric in metrics}
    for origin, (layer, head) in tops.items():
        role = SOURCES[origin]
        best, untrained, uniform = (
            values[f"{_P}/{name}{{from={origin},to={role}}}"]
            for name in ("best_mass", "untrained_best_mass", "uniform_mass")
        )
        top, random = (
            values[f"{_P}/loss_rise{{ablated={ablated},from={origin}}}"]
            for ablated in ("top", "random")
        )
        yield (
            f"{origin}: layer {layer}, head {head} attends to {role} with mass {best:.2f} "
            f"(untrained {untrained:.2f}, uniform {uniform:.2f}); without it the loss rises by "
            f"{top:.3f} nats, without a random other head by {random:.3f}"
        )


def _pairs() -> Iterator[Pair]:
    return iter(np.ndindex(len(ORIGINS), len(ROLES)))


def _dims(pair: Pair) -> dict[str, Dim]:
    return {"from": ORIGINS[pair[0]], "to": ROLES[pair[1]]}


def _having(
    values: Float[np.ndarray, "problems origins roles *heads"],
    pair: Pair,
    chosen: Bool[np.ndarray, " problems"] | None = None,
) -> Float[np.ndarray, "having *heads"]:
    """The values of an origin and a role, of the chosen problems that have some."""
    own = values[:, pair[0], pair[1]]
    has_value = ~np.isnan(own.reshape(len(own), -1)).any(axis=1)
    found: np.ndarray = own[has_value if chosen is None else has_value & chosen]
    return found


def _mass_metrics(masses: Masses) -> Iterator[Metric]:
    """Masses of every head, and of uniform attention."""
    for pair in _pairs():
        values = _having(masses.of_heads, pair)
        if not len(values):
            continue
        uniform = _having(masses.uniform, pair)
        yield mean(f"{_P}/uniform_mass", uniform, "attention", **_dims(pair))
        for layer, head in np.ndindex(values.shape[1:]):
            dims = {**_dims(pair), "layer": layer, "head": head}
            yield mean(f"{_P}/mass", values[:, layer, head], "attention", **dims)


def _best_metrics(
    masses: Masses, best: dict[Pair, Head], tested: Bool[np.ndarray, " problems"]
) -> Iterator[Metric]:
    """The mass of the best head, on problems that it was not chosen on."""
    for pair, head in best.items():
        values = _having(masses.of_heads, pair, tested)
        yield mean(f"{_P}/best_mass", values[(slice(None), *head)], "attention", **_dims(pair))


def _untrained_metrics(
    untrained: Masses, best: dict[Pair, Head], tested: Bool[np.ndarray, " problems"]
) -> Iterator[Metric]:
    """The mass of the best head of an untrained model, chosen in the same way."""
    for pair, head in best.items():
        values = _having(untrained.of_heads, pair, tested)[(slice(None), *head)]
        yield mean(f"{_P}/untrained_best_mass", values, "attention", **_dims(pair))


def _table(masses: Masses, untrained: Masses, best: dict[Pair, Head]) -> pl.DataFrame:
    """One row per origin, role and head, with both controls."""
    rows: list[dict[str, Dim]] = []
    for pair, best_head in best.items():
        values = _having(masses.of_heads, pair)
        means = values.mean(axis=0)
        of_untrained = _having(untrained.of_heads, pair).mean(axis=0)
        own = {
            **_dims(pair),
            "n_problems": len(values),
            "uniform_mass": float(_having(masses.uniform, pair).mean()),
        }
        rows += [
            {**own, "layer": head[0], "head": head[1], "is_best": head == best_head}
            | {"mass": float(means[head]), "untrained_mass": float(of_untrained[head])}
            for head in np.ndindex(means.shape)
        ]
    return pl.DataFrame(rows)
