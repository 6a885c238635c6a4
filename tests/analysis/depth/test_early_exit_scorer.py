"""The scorer of early exit, on models whose prediction is made in a known block."""

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.depth.early_exit_metrics import half_ratio
from physlm.analysis.depth.early_exit_scorer import EarlyExitConfig
from physlm.data.people.bios import BiosConfig
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from tests.analysis.depth.planted import PlantedModel


@pytest.fixture(scope="module")
def corpus():
    return BiosConfig(n_people=12, pool_size=5, exposures=1).build(0)


def model_of(corpus, busy, n_layers=4):
    """A decoder of which only the blocks in ``busy`` change the residual stream."""
    config = DecoderConfig(n_layers=n_layers, d_model=16, n_heads=2, init_std=0.5)
    model = config.build(corpus.vocabulary.size, 64, 0).eval()
    with torch.no_grad():
        for number, block in enumerate(model.blocks):
            if number not in busy:
                for layer in (block.attention.out, block.mlp.down):
                    layer.weight.zero_()
                    layer.bias.zero_()
    return model


def measured(model, corpus, **changes):
    settings = {"lens": "logit", "n_lens_tokens": 200, "n_predictions": 300, "window": 16}
    settings |= {"n_texts": 2, "n_new_tokens": 4, "n_repeats": 1}
    config = EarlyExitConfig(**settings | changes)
    config.check(model, corpus)
    return config, config.measure(model, corpus)


def test_a_prediction_made_in_the_first_block_needs_no_other(corpus):
    model = model_of(corpus, {0})
    config, found = measured(model, corpus, decoding_states=[1, 2])
    value = {text: metric.value for text, metric in by_text(found.metrics).items()}
    assert value["depth/early_exit/blocks_saved_at_99{criterion=static}"] == 3
    assert value["depth/early_exit/blocks_saved_fraction_at_99{criterion=static}"] == 0.75
    assert value["depth/early_exit/threshold_at_99{criterion=static}"] == 1
    # A top-1 token that is repeated from state 1 on is seen at state 2, if not by chance before.
    assert 2 <= value["depth/early_exit/blocks_saved_at_99{criterion=repeat}"] < 3
    assert value["depth/early_exit/agreement_at_99{criterion=repeat}"] == 1
    assert value["depth/early_exit/decoding/blocks{criterion=static}"] == 1
    assert value["depth/early_exit/decoding/agreement{criterion=static}"] == 1
    assert value["depth/early_exit/decoding/agreement{criterion=probability}"] == 1
    assert value["depth/early_exit/decoding/blocks{criterion=probability}"] == 1
    assert value["depth/early_exit/decoding/time_ratio{criterion=static}"] > 0
    for state in range(1, 5):
        assert value[f"depth/early_exit/agreement{{state={state}}}"] == 1
    assert abs(value["depth/skipping/loss_change_nats{block=0}"]) > 0.01
    for block in range(1, 4):
        assert value[f"depth/skipping/loss_change_nats{{block={block}}}"] == 0
        assert value[f"depth/skipping/agreement{{block={block}}}"] == 1
    assert set(config.figures(found)) == set(config.figure_names)


def test_a_prediction_made_in_the_last_block_needs_all(corpus):
    _, found = measured(model_of(corpus, {3}), corpus, n_texts=0)
    value = {text: metric.value for text, metric in by_text(found.metrics).items()}
    assert value["depth/early_exit/blocks_saved_at_99{criterion=static}"] == 0
    assert value["depth/early_exit/agreement_at_99{criterion=static}"] == 1
    assert value["depth/early_exit/agreement{state=3}"] < 0.5
    assert value["depth/early_exit/agreement{state=4}"] == 1
    assert not any("decoding" in text for text in value)


def test_halves_of_the_blocks_are_compared_by_their_mean_change_of_loss():
    rng = np.random.default_rng(0)
    document, change = np.repeat(np.arange(40), 3), rng.normal(1, 0.5, (120, 5))
    change[0] = np.nan  # no target
    rows = pl.DataFrame({"document": document, "loss_change_nats": change})
    (ratio,) = half_ratio(rows)
    per_document = np.nanmean(change.reshape(40, 3, 5), axis=1)
    first, second = per_document[:, :2].mean(axis=1), per_document[:, 3:].mean(axis=1)
    assert ratio.value == pytest.approx(second.mean() / first.mean())
    assert ratio.n == 119
    # The error of a ratio of means, linearised.
    residual = (second - ratio.value * first) / first.mean()
    assert ratio.stderr == pytest.approx(residual.std(ddof=1) / 40**0.5, rel=0.1)
    assert half_ratio(rows.with_columns(loss_change_nats=-change)) == []


def test_models_and_states_that_cannot_be_used_are_refused(corpus):
    model = model_of(corpus, {0})
    with pytest.raises(InputError, match=r"decoding_states=\[4\]; name states from 0 to 3"):
        measured(model, corpus, decoding_states=[4])
    with pytest.raises(InputError, match="this model has no forward_from"):
        EarlyExitConfig().check(PlantedModel(torch.zeros(2, 1, 1, 3)), corpus)
    with pytest.raises(ValueError, match="n_repeats=0; must be at least 1"):
        EarlyExitConfig(n_repeats=0)
