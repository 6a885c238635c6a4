"""The likeliest tokens at every state, against a sort of the model's own scores."""

import numpy as np
import torch

from physlm.analysis.depth import Positions, trace
from physlm.analysis.depth.top_tokens import top_tokens
from physlm.analysis.lenses import LogitLens
from tests.analysis.depth.planted import PlantedModel, decoder, random_tokens

EVERY = Positions(skip_first=0)


def test_top_tokens_are_the_first_of_all_tokens_sorted_by_probability():
    model, tokens = decoder(), random_tokens((2, 8))
    found = top_tokens(model, tokens, LogitLens(model), EVERY, k=5)
    with torch.no_grad():
        scores = model.unembed(model.residuals(tokens)).flatten(1, 2).transpose(0, 1)
    expected = scores.softmax(-1).sort(dim=-1, descending=True)
    np.testing.assert_array_equal(found["top_tokens"].to_numpy(), expected.indices[..., :5])
    np.testing.assert_allclose(
        found["top_probabilities"].to_numpy(), expected.values[..., :5], rtol=1e-5
    )


def test_among_equal_scores_the_first_top_token_is_the_one_that_the_trace_names():
    states = torch.zeros(3, 1, 2, 6)
    states[:, 0, 1, 3:] = 1.0
    model, tokens = PlantedModel(states), torch.zeros(1, 2, dtype=torch.long)
    found = top_tokens(model, tokens, LogitLens(model), EVERY, k=2)
    named = trace(model, tokens, LogitLens(model), EVERY)["top1"].to_numpy()
    np.testing.assert_array_equal(found["top_tokens"].to_numpy()[..., 0], named)
    np.testing.assert_array_equal(named, [[0] * 3, [3] * 3])


def test_a_small_vocabulary_is_listed_whole():
    model, tokens = decoder(vocabulary_size=4), random_tokens((1, 3), vocabulary_size=4)
    found = top_tokens(model, tokens, LogitLens(model), EVERY)
    assert found["top_tokens"].to_numpy().shape == (3, 4, 4)
    np.testing.assert_allclose(found["top_probabilities"].to_numpy().sum(-1), 1, rtol=1e-5)
