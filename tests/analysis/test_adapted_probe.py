"""Probes read the states that they name, and no token after their place."""

from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from physlm.analysis.adapted_probe import (
    AdaptedProbe,
    AdaptedProbeRecipe,
    Inputs,
    StateNorm,
    drawn_batches,
    fit_adapted_probe,
    predictions,
)
from physlm.models.architecture import DecoderConfig


def recipe(**options):
    defaults = {"embedding_rank": 2, "norm": StateNorm.none, "n_steps": 3, "batch_size": 8}
    return AdaptedProbeRecipe(**defaults | options)


@pytest.fixture(scope="module")
def model():
    return DecoderConfig(d_model=16, n_layers=3, n_heads=2).build(40, 64, 0).eval()


def drawn(n=60, longest=30):
    rng = np.random.default_rng(0)
    places = rng.integers(4, longest, (n, 1))
    return Inputs(rng.integers(0, 40, (n, longest)), places, rng.integers(0, 3, n))


@pytest.mark.parametrize("state", [0, 1, 2, 3, None])
def test_a_new_probe_reads_a_state_by_the_final_norm(model, state):
    inputs = drawn(5)
    probe = AdaptedProbe(model, 2, recipe(state=state), 0)
    tokens, places = torch.from_numpy(inputs.tokens), torch.from_numpy(inputs.places)
    number = 3 if state is None else state
    normed = model.norm(model.residuals(tokens, [number])[0])
    expected = normed[torch.arange(5), places[:, 0]]
    found = probe.norm(probe.states(tokens, places)[:, 0])
    torch.testing.assert_close(found, expected)


def test_tokens_after_the_place_change_nothing(model):
    inputs = drawn()
    other = inputs.tokens.copy()
    other[np.arange(30) > inputs.places] = 7
    padded = np.pad(other, ((0, 0), (0, 20)))
    probes = [
        fit_adapted_probe(model, Inputs(t, inputs.places, inputs.classes), 3, recipe(), seed=0)
        for t in (inputs.tokens, padded)
    ]
    torch.testing.assert_close(*(probe.classifier.weight for probe in probes))
    found = [predictions(probe, inputs, 7) for probe in probes]
    assert (found[0] == found[1]).all()
    assert found[0].shape == (60, 1)


def test_batches_that_are_drawn_at_once_divide_inputs_by_length():
    inputs = drawn(1000)
    batches = list(islice(drawn_batches(inputs, 32, 8, seed=0), 16))
    for first in (0, 8):
        together = np.concatenate(batches[first : first + 8])
        assert len(set(together.tolist())) == 256
        spans = [(p.min(), p.max()) for p in (inputs.places[b] for b in batches[first : first + 8])]
        spans.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert set(np.concatenate(batches[:8])) != set(np.concatenate(batches[8:]))
    means = [inputs.places[batch].mean() for batch in batches[:8]]
    assert means != sorted(means)


def test_a_probe_learns_from_batches_by_length_what_tokens_say(model):
    inputs = drawn(400)
    classes = inputs.tokens[np.arange(400), inputs.places[:, 0]] % 3
    planted = Inputs(inputs.tokens, inputs.places, classes)
    options = recipe(n_steps=150, batch_size=64, learning_rate=0.05, n_batches_by_length=4, state=1)
    probe = fit_adapted_probe(model, planted, 3, options, seed=0)
    assert (predictions(probe, planted, 64)[:, 0] == classes).mean() > 0.95
