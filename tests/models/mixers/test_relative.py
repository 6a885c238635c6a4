import math

import pytest
import torch
from transformers import DebertaConfig
from transformers.models.deberta.modeling_deberta import (
    DisentangledSelfAttention,
    build_relative_position,
)

from physlm.models.attention_mask import AttentionMask
from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.relative import RelativeAttention
from physlm.models.relative_position import RelativePositions
from tests.models.test_transformers_format import scramble

WIDTH, N_HEADS, SEQ_LEN = 24, 4, 9


@pytest.fixture
def x():
    return torch.randn(2, SEQ_LEN, WIDTH, generator=torch.Generator().manual_seed(0))


def built(n_kv_heads=N_HEADS, *, seq_len=SEQ_LEN, is_causal=True):
    """An attention layer and the embeddings of distances that it reads."""
    shape = AttentionShape(WIDTH, N_HEADS, n_kv_heads)
    attention = scramble(RelativeAttention(shape, has_bias=True))
    distances = scramble(RelativePositions(seq_len, WIDTH, is_causal=is_causal))
    return attention, distances


def context(distances):
    mask = AttentionMask(is_causal=distances.is_causal)
    return Context(mask=mask, n_positions=SEQ_LEN, relative_positions=distances(SEQ_LEN))


def weights_of_a_double_loop(attention, distances, x):
    shape = attention.shape
    q, k, _ = attention.qkv(x).split([WIDTH, shape.d_kv, shape.d_kv], dim=-1)
    table = distances.embedding.weight
    kr, qr = attention.distance_key(table), attention.distance_query(table)
    scores = torch.full((len(x), N_HEADS, SEQ_LEN, SEQ_LEN), -math.inf)
    for head in range(N_HEADS):
        own = slice(head * shape.head_width, (head + 1) * shape.head_width)
        kv_head = head * shape.n_kv_heads // N_HEADS
        shared = slice(kv_head * shape.head_width, (kv_head + 1) * shape.head_width)
        for i in range(SEQ_LEN):
            for j in range(i + 1):
                d = min(i - j, len(table) - 1)
                content = q[:, i, own] * k[:, j, shared]
                position = q[:, i, own] * kr[d, shared] + k[:, j, shared] * qr[d, own]
                scores[:, head, i, j] = (content + position).sum(-1)
    return (scores / math.sqrt(3 * shape.head_width)).softmax(-1)


@torch.no_grad()
@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
@pytest.mark.parametrize("seq_len", [4, SEQ_LEN, 20])
def test_causal_weights_are_those_of_a_double_loop(x, n_kv_heads, seq_len):
    attention, distances = built(n_kv_heads, seq_len=seq_len)
    found = attention.patterns(x, context(distances))
    torch.testing.assert_close(found, weights_of_a_double_loop(attention, distances, x))


def theirs(attention, distances):
    """The attention of `transformers` with the same weights, and its embeddings of distances."""
    config = DebertaConfig(
        hidden_size=WIDTH,
        num_attention_heads=N_HEADS,
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        max_relative_positions=SEQ_LEN,
    )
    other = DisentangledSelfAttention(config).eval()
    q, k, v = attention.qkv.weight.view(3, N_HEADS, -1, WIDTH)
    # The rows of their projection are q, k and v of the first head, then of the second.
    other.in_proj.weight.copy_(torch.stack([q, k, v], dim=1).reshape(3 * WIDTH, WIDTH))
    other.q_bias.copy_(attention.qkv.bias[:WIDTH])
    other.v_bias.copy_(attention.qkv.bias[2 * WIDTH :])
    other.pos_proj.weight.copy_(attention.distance_key.weight)
    other.pos_q_proj.weight.copy_(attention.distance_query.weight)
    other.pos_q_proj.bias.zero_()
    # Theirs begin one distance further back, which no two of these tokens have.
    table = distances.embedding.weight
    return other, torch.cat([torch.zeros(2 * SEQ_LEN - len(table), WIDTH), table])


@torch.no_grad()
@pytest.mark.parametrize("is_causal", [True, False])
def test_attention_is_that_of_deberta_in_transformers(x, is_causal):
    attention, distances = built(is_causal=is_causal)
    attention.qkv.bias[WIDTH : 2 * WIDTH] = 0  # their keys have no bias
    attention.out.weight.copy_(torch.eye(WIDTH))
    attention.out.bias.zero_()
    other, embeddings = theirs(attention, distances)
    mask = torch.ones(1, 1, SEQ_LEN, SEQ_LEN, dtype=torch.bool)
    gathered, weights = other(
        x,
        mask.tril() if is_causal else mask,
        output_attentions=True,
        relative_pos=build_relative_position(x, x),
        rel_embeddings=embeddings,
    )
    torch.testing.assert_close(attention.patterns(x, context(distances)), weights)
    torch.testing.assert_close(attention(x, context(distances)), gathered)


def test_gradients_are_those_of_the_double_loop(x):
    attention, distances = built(2, seq_len=5)
    sources = [
        attention.qkv.weight,
        attention.distance_key.weight,
        attention.distance_query.weight,
        distances.embedding.weight,
    ]
    found, expected = (
        torch.autograd.grad(weights.square().sum(), sources)
        for weights in (
            attention.patterns(x, context(distances)),
            weights_of_a_double_loop(attention, distances, x),
        )
    )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
