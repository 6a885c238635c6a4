"""Published numbers beside corrected ones: their definition, and that length explains them."""

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.comparison.groups import COVARIATES, Texts
from physlm.analysis.spectra.published import (
    best_layers,
    published_metrics,
    published_table,
    published_text,
)
from physlm.analysis.spectra.reference_compat import reference_effect_size, reference_metrics
from physlm.analysis.spectra.text_columns import unpaired_texts
from physlm.models.architecture import DecoderConfig

N = 40


@pytest.fixture(scope="module")
def found():
    """Random texts of an untrained model; valid ones are shorter, and nothing else."""
    rng = np.random.default_rng(0)
    is_valid = np.arange(N) % 2 == 0
    lengths = np.where(is_valid, rng.integers(10, 46, N), rng.integers(22, 70, N))
    tokens = [rng.integers(0, 30, n).astype(np.int32) for n in lengths]
    problem = np.arange(N) // 2
    noise = {name: rng.normal(size=N) for name in COVARIATES}
    texts = Texts(is_valid, problem, noise | {"n_tokens": lengths.astype(float)})
    model = DecoderConfig(n_layers=2, n_heads=2, d_model=16, init_std=0.4).build(30, 80, 0).eval()
    labelled = unpaired_texts(tokens, is_valid, problem)
    return model, tokens, texts, published_table(model, labelled, texts, 8)


@torch.no_grad()
def values(model, tokens, layer):
    """Published and corrected HFER of each text, text by text."""
    both = []
    for text in tokens:
        own = torch.from_numpy(text)[None].long()
        maps = dict(model.attention_patterns(own))[layer][0]
        state = model.residuals(own, [layer + 1])[0, 0]
        given = model.hidden_states(own)[0] if layer == 1 else state
        right = spectral_metrics(maps.mean(0), state, metrics=["hfer"])["hfer"]
        both.append((float(reference_metrics(maps, given)["reference_compat/hfer"]), float(right)))
    return np.array(both).T


@pytest.mark.parametrize("layer", [0, 1])
def test_published_and_right_values_are_those_of_single_texts(found, layer):
    model, tokens, texts, table = found
    theirs, right = values(model, tokens, layer)
    row = table.row(
        by_predicate=(pl.col("metric") == "hfer") & (pl.col("layer") == layer), named=True
    )
    expected = reference_effect_size(theirs[texts.is_valid], theirs[~texts.is_valid])
    assert row["reference_compat/d"] == pytest.approx(expected, rel=1e-3)
    valid, invalid = right[texts.is_valid], right[~texts.is_valid]
    pooled = np.sqrt((valid.var(ddof=1) + invalid.var(ddof=1)) / 2)
    assert row["d_raw"] == pytest.approx((valid.mean() - invalid.mean()) / pooled, rel=1e-3)


def test_an_untrained_model_has_the_published_effect_and_length_alone_has_it_too(found):
    *_, table = found
    best = {row["metric"]: row for row in best_layers(table).iter_rows(named=True)}
    entropy, length = best["spectral_entropy"], best["n_tokens"]
    assert abs(entropy["reference_compat/d"]) > 0.8
    assert length["reference_compat/accuracy"] >= entropy["reference_compat/accuracy"] - 0.05
    assert length["d_length"] is None  # nothing is left of it at equal length
    assert entropy["d_length_low"] < 0 < entropy["d_length_high"]


def test_published_numbers_are_labelled_wherever_they_are_given(found):
    *_, table = found
    metrics = list(published_metrics(table, N, {"corruption": "invalid"}))
    assert {metric.dims["metric"] for metric in metrics} == set(table["metric"])
    assert all(metric.name.startswith("spectra/reference_compat_") for metric in metrics)
    text = published_text(table)
    assert "reference_compat/d" in text
    assert "corrected d_length" in text
    assert "n_tokens" in text
