"""Samples of heads: the same for all texts, unbiased, and honest about what was left out."""

import itertools

import polars as pl
import pytest
import torch

from physlm.analysis.spectra.head_means import head_means
from physlm.analysis.spectra.head_sample import mean_over_heads, sample_heads
from physlm.errors import InputError
from tests.analysis.spectra.graphs import attention


def test_the_mean_and_its_error_are_those_of_sampling_without_replacement():
    """Over all samples of 3 of 6 heads: no bias, and the expected square is the true variance."""
    values = torch.tensor([0.1, 0.7, 0.4, 2.0, -1.0, 0.3], dtype=torch.float64)
    found = [mean_over_heads(values[list(s)], 6) for s in itertools.combinations(range(6), 3)]
    means, errors = (torch.stack(part) for part in zip(*found, strict=True))
    assert float(means.mean()) == pytest.approx(float(values.mean()))
    assert float(errors.square().mean()) == pytest.approx(float(means.var(correction=0)))
    assert mean_over_heads(values, 6)[1] == 0


def test_a_sample_is_a_function_of_seed_and_layer_alone():
    whole = sample_heads(6, 12, n_sampled=4, seed=3)
    part = sample_heads(6, 12, layers=[4, -1], n_sampled=4, seed=3)
    assert part.layers == (4, 5)
    assert part.heads == (whole.heads[4], whole.heads[5])
    assert whole != sample_heads(6, 12, n_sampled=4, seed=4)
    assert len(set(whole.heads)) > 1
    assert all(len(set(heads)) == 4 and max(heads) < 12 for heads in whole.heads)


def test_the_sampled_maps_are_a_slice_and_what_is_left_out_is_said():
    sample = sample_heads(3, 5, layers=[0, 2], n_sampled=2, seed=1)
    maps = attention(4, 5, 6, 6)
    assert torch.equal(sample.of(maps, 2), maps[:, list(sample.heads[1])])
    assert sample.left_out == "not measured: layers 1; 3 of 5 heads of each measured layer"
    whole = sample_heads(3, 5)
    assert whole.left_out == ""
    assert whole.of(maps, 1) is maps


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_heads(3, 5, layers=[3]), "layer=3; the model has layers 0 to 2"),
        (lambda: sample_heads(3, 5, n_sampled=6), "n_heads=6, layers="),
        (lambda: sample_heads(3, 5, layers=[1]).of(attention(5, 4, 4), 0), "layer=0 is not in"),
        (lambda: sample_heads(3, 5).of(attention(4, 4, 4), 0), "layer 0 has 4 maps"),
        (lambda: mean_over_heads(torch.ones(3, 1), 5), "one head of 5 has no standard error"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("m", [1, 3])
def test_means_over_heads_of_a_run_have_the_error_of_their_sample(m):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, m, 5, generator=generator, dtype=torch.float64)  # layers, heads, texts
    rows = [
        {"layer": layer, "head": head, "metric": "hfer/drop_first_1", "value": float(value)}
        for layer in range(2)
        for head in range(m)
        for value in values[layer, head]
    ] + [{"layer": 0, "head": -1, "metric": "hfer/graph_mean", "value": 9.0}]
    sample = sample_heads(2, 4, n_sampled=m)
    found = list(head_means(pl.DataFrame(rows), sample, {"corruption": "swap"}))
    assert [metric.dims["layer"] for metric in found] == [0, 1]
    assert found[0].dims["drop_first"] == 1
    own = values.mean(-1)
    assert [metric.value for metric in found] == pytest.approx(own.mean(-1).tolist())
    expected = [None, None] if m == 1 else ((1 - m / 4) * own.var(-1) / m).sqrt().tolist()
    assert [metric.stderr for metric in found] == pytest.approx(expected)
    assert not list(head_means(pl.DataFrame(rows), sample_heads(2, 4), {}))
