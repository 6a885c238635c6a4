"""ALiBi and H-ALiBi against their formulas and transformers' slopes."""

import math

import pytest
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from physlm.models.alibi import distance_bias, slopes_and_reach
from physlm.models.attention_mask import AttentionMask
from physlm.models.components import PositionEncoding
from physlm.models.derivatives import exact
from physlm.models.mixers import attention_kernels
from physlm.models.mixers.attention_kernels import _attend_in_blocks, attend

ALIBI, H_ALIBI = PositionEncoding.alibi, PositionEncoding.h_alibi


@pytest.mark.parametrize("n_heads", [2, 8])
def test_slopes_are_those_of_transformers(n_heads):
    """Theirs adds the slope times the key's position, which differs by a constant of each row."""
    theirs = build_alibi_tensor(torch.ones(1, 5, dtype=torch.long), n_heads, torch.float32)
    position = torch.arange(5)
    bias = distance_bias(slopes_and_reach(ALIBI, n_heads), position[:, None] - position)
    torch.testing.assert_close(bias - bias[..., :1], theirs.expand(-1, 5, -1))


def by_formula(kind, q, k, v, segment, window):
    """One query after the other."""
    n_heads, out = q.shape[1], torch.zeros_like(q)
    for b in range(len(q)):
        for h in range(1, n_heads + 1):
            for i in range(q.shape[2]):
                seen = [j for j in range(i + 1) if segment[b, i] == segment[b, j]]
                seen = [j for j in seen if i - j < window]
                if kind is H_ALIBI and h <= n_heads / 2:
                    seen = [j for j in seen if i - j < h]
                slope = 2 ** (-8 * h / n_heads) if kind is ALIBI else 0.0
                scores = torch.stack([q[b, h - 1, i] @ k[b, h - 1, j] for j in seen])
                distance = i - torch.tensor(seen)
                weights = (scores / math.sqrt(q.shape[-1]) - slope * distance).softmax(0)
                out[b, h - 1, i] = weights @ v[b, h - 1, seen]
    return out


@pytest.mark.parametrize("kind", [ALIBI, H_ALIBI])
@pytest.mark.parametrize(("n_kv_heads", "window"), [(4, None), (2, 5)])
def test_every_kernel_is_the_formula(kind, n_kv_heads, window, monkeypatch):
    monkeypatch.setattr(attention_kernels, "_LEAST_ROWS", 4)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(2, heads, 11, 6, generator=generator) for heads in (4, n_kv_heads, n_kv_heads)
    )
    segment = torch.arange(11).expand(2, -1) // torch.tensor([[5], [20]])
    mask, by_head = AttentionMask(is_causal=True, window=window, segments=segment), None
    by_head = slopes_and_reach(kind, 4)
    repeated = [x.repeat_interleave(4 // n_kv_heads, dim=1) for x in (k, v)]
    expected = by_formula(kind, q, *repeated, segment, window or 100)
    given = [x.requires_grad_() for x in (q, *repeated)]
    found = [attend(*given, mask, by_head), _attend_in_blocks(*given, mask, by_head)]
    with exact():
        found.append(attend(*given, mask, by_head))
    direction = torch.randn(expected.shape, generator=generator)
    gradients = [torch.autograd.grad(out, given, direction) for out in found]
    for out, gradient in zip(found, gradients, strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(gradient, gradients[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attend(q, k, v, mask, by_head), expected, atol=1e-5, rtol=1e-5)
