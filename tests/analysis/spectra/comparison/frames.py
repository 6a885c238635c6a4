"""Long frames of generated texts, whose metrics depend on what a test plants in them."""

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.groups import COVARIATES, Texts


def texts_of(rng, n_problems, *, length_gap=0.0, equal=False):
    """Problems of one valid and one invalid text; invalid ones longer by a gap of log length."""
    n = 2 * n_problems
    problem, is_valid = np.repeat(np.arange(n_problems), 2), np.tile([True, False], n_problems)
    log_length = np.log(100) + 0.4 * rng.standard_normal(n) + length_gap * ~is_valid
    n_tokens = np.full(n, 64) if equal else np.exp(log_length).astype(int) + 2
    z = np.zeros(n) if equal else (np.log(n_tokens) - np.log(100)) / 0.4
    return pl.DataFrame(
        {
            "text": np.arange(n),
            "problem": problem,
            "is_valid": is_valid,
            "n_tokens": n_tokens,
            "mean_log_probability": -2 + 0.2 * z + 0.3 * rng.standard_normal(n),
            "min_log_probability": -6 - 0.4 * z + rng.standard_normal(n),
            "mean_entropy": 2 - 0.1 * z + 0.2 * rng.standard_normal(n),
            "distinct_tokens": np.minimum(n_tokens, 50 + rng.integers(0, 20, n)),
            "repeated_fraction": rng.random(n),
        }
    )


def frame_of(texts, value, *, layers=2, heads=2, metrics=("hfer", "fiedler"), arm="model"):
    """A frame whose values are those of ``value(metric, layer, head)``, one per text."""
    parts = [
        texts.with_columns(
            layer=pl.lit(layer),
            head=pl.lit(head),
            metric=pl.lit(metric),
            value=pl.Series(np.asarray(value(metric, layer, head), dtype=float)),
            arm=pl.lit(arm),
        )
        for metric in metrics
        for layer in range(layers)
        for head in range(heads)
    ]
    return pl.concat(parts)


def groups_of(texts):
    """The texts of such a table as ``compare_groups`` holds them."""
    return Texts(
        texts["is_valid"].to_numpy(),
        texts["problem"].to_numpy(),
        {name: texts[name].cast(pl.Float64).to_numpy() for name in COVARIATES},
    )
