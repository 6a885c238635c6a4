"""Metrics of activation patching between people."""

from typing import TYPE_CHECKING

import polars as pl
import torch
from matplotlib.figure import Figure

from physlm.analysis.depth.figures import draw_patching
from physlm.analysis.depth.patching import PromptPairs, recovered, trace_patching
from physlm.analysis.depth.person_pairs import PLACES, person_pairs, person_prompts
from physlm.data.corpus import Corpus
from physlm.eval.scorer import mean
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.patching_scorer import PatchingConfig

_PREFIX = "depth/patching"
_RECOVERED = f"{_PREFIX}/recovered"


def measured_patching(
    config: "PatchingConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``patching``; ``recovered`` is left out if it is undefined.

    It is undefined for a model that prefers the source's answer no more after the source prompt
    than after the base prompt, such as an untrained one.
    """
    pairs, attributes = person_pairs(person_prompts(corpus), config.n_pairs)
    rows = trace_patching(model, pairs, states=config.states, batch_size=config.batch_size)
    rows = rows.with_columns(pl.Series("attribute", attributes).gather(rows["pair"]))
    metrics = [_right(model, pairs, config.batch_size), _difference(rows)]
    if metrics[1].value > 0:
        metrics += [
            Metric(
                name=_RECOVERED,
                value=row["value"],
                unit="fraction",
                n=row["n"],
                stderr=row["stderr"],
                dims={name: row[name] for name in ("state", "place", "run")},
            )
            for row in recovered(rows).iter_rows(named=True)
        ]
    return Measurement(tuple(metrics), tables={"patching": rows})


def draw(measurement: Measurement) -> dict[str, Figure]:
    """The figure of the scorer ``patching``, from its measurement alone; none without recovery."""
    if not any(metric.name == _RECOVERED for metric in measurement.metrics):
        return {}
    return {"patching": draw_patching(recovered(measurement.tables["patching"]), PLACES)}


def _difference(rows: pl.DataFrame) -> Metric:
    """How much more the source's answer is preferred after the source than after the base."""
    per_pair = rows.unique("pair", maintain_order=True)
    values = (per_pair["source"] - per_pair["base"]).to_numpy()
    return mean(f"{_PREFIX}/logit_difference", values, "logits")


@torch.inference_mode()
def _right(model: LanguageModel, pairs: PromptPairs, batch_size: int) -> Metric:
    """Fraction of the pairs whose answers both begin with the right token."""
    is_right = torch.ones(len(pairs.source), dtype=torch.bool)
    for tokens, answers in zip((pairs.source, pairs.base), pairs.answers.T, strict=True):
        top1 = [
            model(part.to(model.device)).argmax(dim=-1).cpu()
            for part in torch.split(tokens, batch_size)
        ]
        is_right &= torch.cat(top1)[torch.arange(len(tokens)), pairs.last()] == answers
    return mean(f"{_PREFIX}/right", is_right.numpy(), "fraction")
