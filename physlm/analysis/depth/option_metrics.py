"""Metrics of choices among options."""

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Int
from matplotlib.figure import Figure

from physlm.analysis.depth.class_metrics import differences
from physlm.analysis.depth.depth_means import with_depth
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.lens_scorer import pairs_of
from physlm.analysis.depth.metrics import metrics_of
from physlm.analysis.depth.option_prompts import OptionPrompts, option_prompts
from physlm.analysis.depth.options import option_means, trace_options
from physlm.data.corpus import Corpus
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.depth_options import DepthOptionsConfig
    from physlm.analysis.lenses.lens import Lens

_PREFIX = "depth/options"
_KEPT_BY_HALF = 0.8  # of the prompts whose options are all in the top K at the end
_DEPTHS = {
    "settled": (f"{_PREFIX}/settled", "blocks"),
    "settled_fraction": (f"{_PREFIX}/settled_fraction", "fraction"),
    "order_settled": (f"{_PREFIX}/order_settled", "blocks"),
    "order_settled_fraction": (f"{_PREFIX}/order_settled_fraction", "fraction"),
    "final_probability": (f"{_PREFIX}/final_probability", "fraction"),
}


def measured_options(
    config: "DepthOptionsConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``depth_options``."""
    windows, kinds = option_prompts(model, corpus, config.n_predictions)
    lens = config.fitted_on(model, windows)
    metrics, rows = [], []
    for prompts in kinds:
        own = _rows(lens, prompts, config.batch_size)
        metrics += _kind_metrics(own, prompts)
        rows.append(_alike(own, prompts))
    every = pl.concat(rows)
    pairs = pairs_of(config.pairs)
    for (form, split), own in every.group_by(["form", "split"], maintain_order=True):
        dims = {"form": str(form), **({"split": str(split)} if split else {})}
        # A predicted option may never have rank 1 in the vocabulary, and then has no onset.
        metrics += differences(own, _PREFIX, pairs, "task", depths=["settled"], **dims)
    return Measurement(tuple(metrics), tables={"choices": every})


def _rows(lens: "Lens", prompts: OptionPrompts, batch_size: int) -> pl.DataFrame:
    """One row per prompt, with the depth of its choice and of the order of options."""
    rows = trace_options(
        lens.model,
        prompts.tokens,
        lens,
        prompts.options,
        prompts.answers,
        prompts.positions,
        batch_size=batch_size,
    )
    each = np.stack(
        [rows[f"probability/{i}"].to_numpy()[:, -1] for i in range(prompts.options.shape[1])],
        axis=1,
    )
    final = each[np.arange(len(rows)), rows["final"].to_numpy()]
    rows = with_depth(rows.with_columns(top1=pl.col("choice"), final_probability=pl.lit(final)))
    last = pl.col("state").arr.last()
    return rows.with_columns((pl.col("order_settled") / last).alias("order_settled_fraction"))


def _kind_metrics(rows: pl.DataFrame, prompts: OptionPrompts) -> list[Metric]:
    """Means by state and depths of prompts of one kind."""
    n_options = prompts.options.shape[1]
    means = option_means(rows)
    names = {
        quantity: (f"{_PREFIX}/{_name(quantity, n_options)}", "fraction")
        for quantity in means["quantity"].unique()
    }
    return [
        *metrics_of(means, names, ["state"], **prompts.dims),
        *metrics_of(document_means(rows, list(_DEPTHS)), _DEPTHS, **prompts.dims),
        Metric(
            name=f"{_PREFIX}/settled_expected",
            value=settled_of_independent(rows["choice"].to_numpy(), rows["state"].to_numpy()[0]),
            unit="blocks",
            n=len(rows),
            dims=prompts.dims,
        ),
        _by_half(means, n_options, prompts),
    ]


def settled_of_independent(
    choices: Int[np.ndarray, "n states"], states: Int[np.ndarray, " states"]
) -> float:
    """Mean state at which choices settle, in blocks, if those of all states were independent.

    With more options it is later, since independent choices then rarely agree by chance.

    Args:
        choices: Number of the chosen option of each prompt at each state.
        states: Numbers of the states, L last.
    """
    options = np.arange(choices.max() + 1)
    fractions = (choices[:, :, None] == options).mean(axis=0)
    # Going back from L, the probability that all states so far agree with an option at L.
    agree = np.cumprod(fractions[-2::-1], axis=0)
    steps = np.diff(states)[::-1, None]
    return float(states[-1] - (fractions[-1] * (steps * agree).sum(axis=0)).sum())


def _name(quantity: str, n_options: int) -> str:
    """Name of a quantity; the top K is named so where K is the number of options."""
    start, top, k = quantity.rpartition("_in_top_")
    return f"{start}_in_top_k" if top and int(k) == n_options else quantity


def _by_half(means: pl.DataFrame, n_options: int, prompts: OptionPrompts) -> Metric:
    """Prompts with all options in the top K at half of the depth, minus 0.8 times those at the end.

    A ratio would be undefined for a model that is sure of its answer: at state L its next likely
    tokens need not be the other options.
    """
    own = means.filter(quantity=f"all_in_top_{n_options}").sort("state")
    last = int(own["state"].to_numpy()[-1])
    half = own.filter(state=math.ceil(last / 2)).row(0, named=True)
    return Metric(
        name=f"{_PREFIX}/half_minus_final",
        value=half["value"] - _KEPT_BY_HALF * own.row(-1, named=True)["value"],
        unit="fraction",
        n=half["n"],
        dims=prompts.dims,
    )


def _alike(rows: pl.DataFrame, prompts: OptionPrompts) -> pl.DataFrame:
    """The columns that prompts of every kind have."""
    kept = rows.select(
        *("document", "answer", "state", "choice", "top1", "final", "final_rank", "worst_rank"),
        *("mass", "final_probability", "order_settled"),
    )
    return kept.with_columns(
        pl.lit(prompts.task).alias("task"),
        pl.lit(prompts.split).alias("split"),
        pl.lit(prompts.form).alias("form"),
        pl.lit(prompts.options.shape[1]).alias("n_options"),
    )


def draw_tasks(measurement: Measurement) -> Figure:
    """The figure of the scorer ``depth_options``, from its measurement alone."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = {
        "all_in_top_k": "all K options among the top K",
        "agreement": "choice is the final one",
    }
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        own = [m for m in measurement.metrics if m.name == f"{_PREFIX}/{name}"]
        kinds = dict.fromkeys((m.dims["task"], m.dims["form"]) for m in own)
        for i, kind in enumerate(kinds):
            points = [
                (m.dims["state"], m.value)
                for m in own
                if (m.dims["task"], m.dims["form"]) == kind
                and m.dims.get("split", "train_people") == "train_people"
            ]
            label = kind[0] if kind[1] == "plain" else f"{kind[0]}, {kind[1]}"
            axes.plot(*zip(*points, strict=True), marker=".", color=f"C{i}", label=label)
        axes.set(xlabel="state (blocks applied)", ylim=(-0.03, 1.03), title=title)
    panels[0].set(ylabel="fraction of prompts")
    panels[1].legend(fontsize="small", loc="lower right")
    return figure
