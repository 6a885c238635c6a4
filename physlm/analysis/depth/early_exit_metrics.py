"""Metrics of predictions that leave the model early, and of skipped blocks."""

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.depth.block_skipping import skipping_means, trace_skipping
from physlm.analysis.depth.early_exit import (
    AGREEMENT,
    STATIC,
    best_threshold,
    dynamic_exit,
    is_calibrated_on,
    static_exit,
    thresholds,
)
from physlm.analysis.depth.exit_decoding import decoding_metrics
from physlm.analysis.depth.exit_rule import ExitCriterion
from physlm.analysis.depth.figures import draw_early_exit, draw_skipping
from physlm.analysis.depth.metrics import metrics_of
from physlm.data.corpus import Corpus
from physlm.measurement import Measurement, Metric
from physlm.models.decoder import Decoder
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.depth.early_exit_scorer import EarlyExitConfig

_PREFIX = "depth/early_exit"
_BY_STATE = {
    "agreement": (f"{_PREFIX}/agreement", "fraction"),
    "accuracy": (f"{_PREFIX}/accuracy", "fraction"),
    "loss_change_nats": (f"{_PREFIX}/loss_change_nats", "nats"),
}
_AT_99 = {
    "agreement": (f"{_PREFIX}/agreement_at_99", "fraction"),
    "loss_change_nats": (f"{_PREFIX}/loss_change_nats_at_99", "nats"),
    "blocks_saved": (f"{_PREFIX}/blocks_saved_at_99", "blocks"),
}
_SKIPPING = {
    "agreement": ("depth/skipping/agreement", "fraction"),
    "loss_change_nats": ("depth/skipping/loss_change_nats", "nats"),
}
_N_RESAMPLED = 1000


def measured_early_exit(
    config: "EarlyExitConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``early_exit``."""
    sample = config.sample(model, corpus)
    lens, rows = config.traced(model, sample)
    at_99, static_state = metrics_at_99(rows, model.vocabulary_size)
    metrics = [*metrics_of(static_exit(rows), _BY_STATE, ["state"]), *at_99]
    if isinstance(model, Decoder) and config.n_texts:
        metrics += decoding_metrics(config, lens, sample, static_state)
    skipped = trace_skipping(model, sample.tokens, sample.positions, batch_size=config.batch_size)
    means = skipping_means(skipped)
    metrics += [*metrics_of(means, _SKIPPING, ["block"]), *half_ratio(skipped)]
    every_curve = pl.concat(curves(rows, model.vocabulary_size).values())
    tables = {"early_exit_curves": every_curve, "skipped_blocks": means}
    return Measurement(tuple(metrics), tables=tables)


def curves(rows: pl.DataFrame, vocabulary_size: int) -> dict[str, pl.DataFrame]:
    """Quality by threshold of every criterion, and by state, which stands as the threshold."""
    static = static_exit(rows).rename({"state": "threshold"})
    found = {STATIC: static.with_columns(pl.col("threshold").cast(pl.Float64))}
    n_states = rows["state"].to_numpy().shape[1]
    for criterion in ExitCriterion:
        tried = thresholds(criterion, n_states, vocabulary_size)
        found[criterion.value] = dynamic_exit(rows, tried, criterion)
    return {
        name: curve.select(pl.lit(name).alias("criterion"), "threshold", pl.exclude("threshold"))
        for name, curve in found.items()
    }


def metrics_at_99(rows: pl.DataFrame, vocabulary_size: int) -> tuple[list[Metric], int]:
    """What each criterion saves on half of the documents, with thresholds chosen on the other half.

    Args:
        rows: Rows of ``trace``.
        vocabulary_size: Number of tokens.

    Returns:
        The metrics, and the state at which all predictions may leave.
    """
    is_choosing = pl.Series(is_calibrated_on(rows["document"].to_numpy()))
    measured = curves(rows.filter(~is_choosing), vocabulary_size)
    n_layers, states = int(rows["state"].to_numpy().max()), {}
    metrics = list[Metric]()
    for name, curve in curves(rows.filter(is_choosing), vocabulary_size).items():
        states[name] = best_threshold(curve, AGREEMENT)
        own = measured[name].filter(threshold=states[name])
        metrics += _metrics_at(name, states[name], own, n_layers)
    return metrics, int(states[STATIC])


def _metrics_at(criterion: str, threshold: float, own: pl.DataFrame, n_layers: int) -> list[Metric]:
    metrics = metrics_of(own, _AT_99, criterion=criterion)
    (saved,) = (metric for metric in metrics if metric.unit == "blocks")
    return [
        *metrics,
        replace(
            saved,
            name=f"{_PREFIX}/blocks_saved_fraction_at_99",
            value=saved.value / n_layers,
            unit="fraction",
            stderr=None if saved.stderr is None else saved.stderr / n_layers,
        ),
        replace(
            saved,
            name=f"{_PREFIX}/threshold_at_99",
            value=threshold,
            unit="state" if criterion == STATIC else "threshold",
            stderr=None,
        ),
    ]


def half_ratio(skipped: pl.DataFrame) -> list[Metric]:
    """Mean change of the loss by skipping a block of the second half, over that of the first half.

    The standard error is bootstrapped over documents. The middle one of an odd number of blocks is
    in neither half. Left out if skipping blocks of the first half does not raise the loss.
    """
    blocks = skipped["loss_change_nats"].to_numpy()
    half = blocks.shape[1] // 2
    if not half:
        return []
    halves = skipped.select(
        "document",
        pl.Series("first", blocks[:, :half].mean(axis=1)).fill_nan(None),
        pl.Series("second", blocks[:, -half:].mean(axis=1)).fill_nan(None),
    ).drop_nulls()
    means = halves.group_by("document").mean().sort("document")
    first, second = means["first"].to_numpy(), means["second"].to_numpy()
    if not first.mean() > 0:
        return []
    drawn = stream(0, "early exit", "resampled").integers(0, len(means), (_N_RESAMPLED, len(means)))
    ratios = second[drawn].mean(axis=1) / first[drawn].mean(axis=1)
    return [
        Metric(
            name="depth/skipping/second_over_first_half",
            value=second.mean() / first.mean(),
            unit="ratio",
            n=len(halves),
            stderr=float(ratios.std(ddof=1)) if len(means) > 1 else None,
        )
    ]


def draw(measurement: Measurement) -> dict[str, Figure]:
    """The figures of the scorer ``early_exit``, from its measurement alone."""
    table = measurement.tables["early_exit_curves"]
    by_criterion = {
        str(name): table.filter(criterion=name)
        for name in table["criterion"].unique(maintain_order=True)
    }
    return {
        "early_exit": draw_early_exit(by_criterion),
        "skipped_blocks": draw_skipping(measurement.tables["skipped_blocks"]),
    }
