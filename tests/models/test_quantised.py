"""Rounded weights against the definition of rounding, and refusals."""

import sys

import pytest
import torch

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.canon_config import CanonConfig
from physlm.models.quantised import quantised, require_quantisable


def model(**changes):
    values = {"d_model": 32, "n_heads": 2, "n_layers": 2, "init_std": 0.3}
    return DecoderConfig(**(values | changes)).build(20, 12, 0).eval()


def weights(block_model):
    return {
        name: layer.weight
        for name, layer in block_model.blocks.named_modules()
        if isinstance(layer, torch.nn.Linear)
    }


@pytest.mark.parametrize(("bits", "group_size"), [(8, 32), (8, 16), (4, 32), (4, 8), (3, 16)])
def test_each_group_is_rounded_to_the_nearest_of_evenly_spaced_values(bits, group_size):
    original = model()
    rounded = quantised(original, bits=bits, group_size=group_size)
    for name, weight in weights(original).items():
        found = weights(rounded)[name].dequantize().view(-1, group_size)
        groups = weight.detach().view(-1, group_size)
        spacing = groups.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 0.5)
        steps = found / spacing
        torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
        assert steps.abs().max() <= 2 ** (bits - 1) + 1e-3
        assert ((found - groups).abs() <= spacing * 0.501).all()


def test_all_but_the_blocks_weights_stay_as_they_are():
    original = model()
    rounded = quantised(original, bits=4, group_size=32)
    before, after = dict(original.named_parameters()), dict(rounded.named_parameters())
    for name in (
        "embedding.weight",
        "norm.weight",
        "blocks.0.attention_norm.weight",
        "blocks.1.mlp.up.bias",
    ):
        assert torch.equal(before[name], after[name]), name
    tokens = torch.randint(20, (2, 12))
    assert not torch.equal(original(tokens), rounded(tokens))
    assert rounded.unembedding.weight is rounded.embedding.weight


def test_more_bits_and_smaller_groups_come_closer():
    original, tokens = model(), torch.randint(20, (8, 12))
    far = {
        (bits, group): (original(tokens) - quantised(original, bits=bits, group_size=group)(tokens))
        .square()
        .mean()
        .item()
        for bits, group in ((8, 32), (4, 32), (4, 4), (2, 32))
    }
    assert far[8, 32] < far[4, 4] < far[4, 32] < far[2, 32]


def test_canon_layers_stay_as_they_are():
    original = model(canon=CanonConfig())
    rounded = quantised(original, bits=4, group_size=8)
    before, after = dict(original.named_parameters()), dict(rounded.named_parameters())
    filters = [name for name in before if "canon" in name]
    assert len(filters) == 2 * 4
    assert all(torch.equal(before[name], after[name]) for name in filters)
    tokens = torch.randint(20, (2, 12))
    assert not torch.equal(original(tokens), rounded(tokens))


def test_groups_that_do_not_divide_a_row_are_named():
    with pytest.raises(InputError, match="group_size=48 does not divide the 32 weights"):
        require_quantisable(model(), 48)


def test_experts_are_refused():
    with pytest.raises(InputError, match=r"blocks.0.mlp.up does not belong to a linear layer"):
        require_quantisable(model(n_experts=4), 32)


def test_a_platform_without_torchao_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao", None)
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(InputError, match=r"needs torchao.*pip install 'physlm\[quantisation\]'"):
        require_quantisable(model(), 32)
