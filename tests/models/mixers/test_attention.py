"""Attention by content: norms of queries and keys, and rotation of a part."""

import pytest
import torch
from transformers.models.olmo2.configuration_olmo2 import Olmo2Config
from transformers.models.olmo2.modeling_olmo2 import Olmo2Attention, Olmo2RotaryEmbedding

from physlm.models.attention_mask import AttentionMask
from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.attention import Attention
from physlm.models.position import Rotary
from tests.models.test_transformers_format import scramble

CONTEXT = Context(mask=AttentionMask(is_causal=True), n_positions=9)
X = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("n_kv_heads", [4, 2])
def test_norms_over_all_heads_are_those_of_olmo2(n_kv_heads):
    settings = Olmo2Config(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=n_kv_heads, rms_norm_eps=1e-3
    )
    settings._attn_implementation = "eager"
    theirs = scramble(Olmo2Attention(settings, layer_idx=0))
    shape = AttentionShape(32, 4, n_kv_heads)
    rotary = Rotary(8, 9, fraction=1.0, base=settings.rope_parameters["rope_theta"])
    ours = Attention(shape, rotary, has_bias=False, qk_norm_eps=1e-3).eval()
    projections = [theirs.q_proj.weight, theirs.k_proj.weight, theirs.v_proj.weight]
    ours.qkv.weight.copy_(torch.cat(projections))
    ours.out.weight.copy_(theirs.o_proj.weight)
    ours.q_norm.weight.copy_(theirs.q_norm.weight)
    ours.k_norm.weight.copy_(theirs.k_norm.weight)
    turned = Olmo2RotaryEmbedding(settings)(X, torch.arange(9)[None])
    future = torch.full((9, 9), -torch.inf).triu(1)[None, None]
    expected, weights = theirs(X, turned, future)
    torch.testing.assert_close(ours(X, CONTEXT), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.patterns(X, CONTEXT), weights, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_interleaved_rotation_multiplies_complex_numbers_of_neighbours():
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(1))
    rotary = Rotary(8, 9, fraction=0.5, base=100.0, is_interleaved=True)
    angles = torch.arange(9)[:, None] * 100.0 ** (-torch.arange(0, 4, 2) / 4)
    numbers = torch.view_as_complex(x[..., :4].reshape(2, 3, 9, 2, 2))
    turned = torch.view_as_real(numbers * torch.polar(torch.ones(9, 2), angles)).flatten(-2)
    torch.testing.assert_close(rotary(x), torch.cat((turned, x[..., 4:]), dim=-1))


@torch.no_grad()
@pytest.mark.parametrize("n_kv_heads", [4, 2])
def test_the_first_heads_are_rotated_and_the_others_are_not(n_kv_heads):
    shape = AttentionShape(32, 4, n_kv_heads)
    half, all_, none = (
        scramble(Attention(shape, rotary, has_bias=True))
        for rotary in (
            Rotary(8, 9, fraction=1.0, base=100.0, heads_fraction=0.5),
            Rotary(8, 9, fraction=1.0, base=100.0),
            None,
        )
    )
    found, rotated, plain = (a.patterns(X, CONTEXT) for a in (half, all_, none))
    torch.testing.assert_close(found[:, :2], rotated[:, :2])
    torch.testing.assert_close(found[:, 2:], plain[:, 2:])
    assert not torch.allclose(rotated[:, 2:], plain[:, 2:], atol=0.01)
