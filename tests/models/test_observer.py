"""Attention weights received during a forward pass, and penalties made of them in the loss."""

from dataclasses import dataclass

import pytest
import torch

from physlm.models.architecture import DecoderConfig, PenaltyConfig
from physlm.models.observer import AttentionObserver
from physlm.models.penalty import Penalty
from tests.models.test_decoder import tokens
from tests.models.test_transformer import KINDS, build

CAUSAL = [kind for kind in KINDS if build(kind).is_causal]


class Seen(AttentionObserver):
    """Keeps everything."""

    def __init__(self):
        self.patterns, self.residuals = [], []

    def add(self, patterns, residual):
        self.patterns.append(patterns)
        self.residuals.append(residual)


@torch.no_grad()
@pytest.mark.parametrize("kind", CAUSAL)
def test_a_decoded_tokens_weights_are_its_row_of_the_whole_window(kind):
    model, texts, lengths = build(kind), tokens(2, 9), torch.tensor([3, 5])
    _, state = model.prefill(texts[:, :5], lengths, 9)
    whole = dict(model.attention_patterns(texts))
    states = model.residuals(texts)
    for n_more in range(4):
        seen, at = Seen(), lengths + n_more
        model.decode(texts[torch.arange(2), at], state, seen)
        for layer, (rows, residual) in enumerate(zip(seen.patterns, seen.residuals, strict=True)):
            expected = whole[layer][torch.arange(2), :, at]
            torch.testing.assert_close(rows[:, :, 0], expected[..., : rows.shape[-1]])
            torch.testing.assert_close(residual[:, 0], states[layer + 1, torch.arange(2), at])


class SelfMass(Penalty):
    """Mean weight of each token on itself."""

    weight = 0.5

    def __call__(self, patterns, residual):
        return patterns.diagonal(dim1=-2, dim2=-1).mean()


@dataclass(kw_only=True, slots=True)
class SelfMassConfig(PenaltyConfig):
    def build(self, seq_len, seed):
        return SelfMass()


def test_a_penalty_adds_its_mean_over_layers_for_every_target_in_training_alone():
    plain = DecoderConfig(d_model=32, init_std=0.2).build(20, 12, 0)
    model = DecoderConfig(d_model=32, init_std=0.2, penalty=SelfMassConfig()).build(20, 12, 0)
    x, targets = tokens(), tokens().roll(-1, 1)
    targets[0, :4] = -1
    own = [p.diagonal(dim1=-2, dim2=-1).mean() for _, p in plain.attention_patterns(x)]
    expected = plain.train().loss(x, targets) + 0.5 * (targets >= 0).sum() * sum(own) / 2
    torch.testing.assert_close(model.train().loss(x, targets), expected)
    torch.testing.assert_close(model.eval().loss(x, targets), plain.eval().loss(x, targets))
    model.train().loss(x, targets).backward()
    plain.loss(x, targets).backward()
    name = "blocks.0.attention.qkv.weight"
    gradients = [dict(m.named_parameters())[name].grad for m in (model, plain)]
    assert not torch.allclose(*gradients)
