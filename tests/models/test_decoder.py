from functools import partial

import pytest
import torch

from physlm.models.architecture import DecoderConfig
from physlm.models.attention_mask import AttentionMask
from physlm.models.canon_config import Activation, CanonConfig
from physlm.models.channels.mlp import GatedSiluMlp, GeluMlp, gelu
from physlm.models.components import MlpKind, NormKind, PositionEncoding
from physlm.models.context import Context
from physlm.models.mixers.attention_kernels import _attend_in_blocks, attend
from physlm.models.position import Rotary
from physlm.models.size import n_parameters

CAUSAL = AttentionMask(is_causal=True)
CONTEXT = Context(mask=CAUSAL, n_positions=12)
STYLES = {
    "gpt2": {},
    "learned": {"position": PositionEncoding.learned},
    "partial rope": {"rope_fraction": 0.25},
    "no position": {"position": PositionEncoding.none},
    "relative": {"position": PositionEncoding.relative},
    "relative mistral": {
        "position": PositionEncoding.relative,
        "n_kv_heads": 2,
        "has_bias": False,
        "sliding_window": 5,
    },
    "position only": {"position": PositionEncoding.position_only},
    "uniform": {"position": PositionEncoding.uniform, "sliding_window": 5},
    "llama": {
        "norm": NormKind.rmsnorm,
        "mlp": MlpKind.gated_silu,
        "mlp_ratio": 8 / 3,
        "has_bias": False,
        "tie_embeddings": False,
    },
    "mistral": {
        "norm": NormKind.rmsnorm,
        "mlp": MlpKind.gated_silu,
        "has_bias": False,
        "n_kv_heads": 2,
        "sliding_window": 5,
    },
    "quarter mlp": {"mlp_ratio": 0.25},
    "no mlp": {"mlp": MlpKind.none},
    "canon": {
        "norm": NormKind.rmsnorm,
        "mlp": MlpKind.gated_silu,
        "has_bias": False,
        "canon": CanonConfig(),
    },
    "canon relative": {
        "position": PositionEncoding.relative,
        "n_kv_heads": 2,
        "has_qk_norm": True,
        "canon": CanonConfig(
            positions="DB", kernel=2, residual=False, activation=Activation.silu, bias=True
        ),
    },
    "canon position only": {
        "position": PositionEncoding.position_only,
        "canon": CanonConfig(positions="BC", kernel=3),
    },
    "alibi": {
        "position": PositionEncoding.alibi,
        "n_kv_heads": 2,
        "has_qk_norm": True,
        "sliding_window": 5,
    },
    "h_alibi": {"position": PositionEncoding.h_alibi, "canon": CanonConfig(positions="AC")},
    "quarter rope": {
        "rope_fraction": 0.5,
        "rope_heads_fraction": 0.5,
        "rope_is_interleaved": True,
        "n_kv_heads": 2,
        "mlp": MlpKind.silu,
        "canon": CanonConfig(positions="A"),
        "is_size_matched": True,
    },
}


def config(style, **changes):
    return DecoderConfig(
        **({"n_layers": 2, "n_heads": 4, "d_model": 32, "init_std": 0.3} | STYLES[style] | changes)
    )


def tokens(n_batch=2, seq_len=12, vocabulary_size=20):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, vocabulary_size, (n_batch, seq_len), generator=generator)


@pytest.mark.parametrize(
    ("layers", "heads", "millions"), [(2, 2, 0.816), (6, 4, 5.58), (6, 6, 11.91), (12, 12, 87.57)]
)
def test_sizes_of_the_ladder_are_the_published_ones(layers, heads, millions):
    ladder = DecoderConfig(n_layers=layers, n_heads=heads, d_model=64 * heads)
    total = sum(n_parameters(ladder, 3275, 512).values())
    assert total / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("style", STYLES)
def test_no_token_sees_the_future(style):
    model = config(style).build(20, 12, 0).eval()
    before = tokens()
    after = before.clone()
    after[:, 7] = (after[:, 7] + 1) % 20
    changed = (model(before) - model(after)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist()[:7] == [False] * 7
    assert changed[7]


def test_a_sliding_window_hides_what_lies_further_back():
    model = config("mistral", n_layers=1).build(20, 12, 0).eval()
    before = tokens()
    after = before.clone()
    after[:, 2] = (after[:, 2] + 1) % 20
    changed = (model(before) - model(after)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [False] * 2 + [True] * 5 + [False] * 5


@pytest.mark.parametrize(
    "style",
    [
        "gpt2",
        "relative",
        "relative mistral",
        "position only",
        "uniform",
        "canon",
        "canon relative",
        "canon position only",
        "alibi",
        "h_alibi",
    ],
)
def test_masked_documents_score_as_if_alone(style):
    model = config(style).build(20, 12, 0).eval()
    together = tokens(n_batch=1)
    logits = model(together, torch.tensor([[0] * 5 + [1] * 7]))
    torch.testing.assert_close(logits[:, :5], model(together[:, :5]))
    # Scores depend on distances, not on positions, so the second document may start anywhere.
    torch.testing.assert_close(logits[:, 5:], model(together[:, 5:]), atol=1e-4, rtol=1e-4)


def test_rotary_scores_depend_on_distance_alone():
    rotary = Rotary(8, 32, fraction=1.0, base=10_000.0)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    turned_q, turned_k = (rotary(x.expand(1, 1, 32, 8))[0, 0] for x in (q, k))
    scores = turned_q @ turned_k.T
    for distance in (0, 3, 11):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert not torch.allclose(scores[0, 0], scores[0, 5])


def test_rotary_goes_on_beyond_its_table():
    short, long = (Rotary(8, n, fraction=0.5, base=100.0) for n in (4, 32))
    x = torch.randn(1, 2, 32, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(short(x), long(x))


def test_initial_weights_follow_the_seed_and_nothing_else():
    torch.manual_seed(1)
    first = config("llama").build(20, 12, 5).state_dict()
    torch.manual_seed(2)
    again, other = (config("llama").build(20, 12, seed).state_dict() for seed in (5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embedding.weight"], other["embedding.weight"])


def test_initial_weights_have_gpt2s_spread():
    model = DecoderConfig(n_layers=8, n_heads=4, d_model=256).build(100, 12, 0)
    block = model.blocks[3]
    assert block.attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert block.mlp.down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.02)
    assert block.mlp.up.bias.abs().max() == 0


def test_learned_positions_end_where_they_end():
    with pytest.raises(ValueError, match="13 tokens exceeds the 12 learned positions"):
        config("learned").build(20, 12, 0)(tokens(seq_len=13))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 3}, "d_model=32 is not divisible by n_heads=3"),
        ({"n_layers": 0}, "n_layers=0"),
        ({"n_kv_heads": 3}, "n_kv_heads=3"),
        ({"rope_fraction": 1.5}, "rope_fraction=1.5"),
        ({"rope_fraction": 0.4}, "are 3.2 dimensions; must be an even number"),
        ({"rope_heads_fraction": 0.6}, "rope_heads_fraction=0.6 of n_heads=4 is not a whole"),
        ({"rope_heads_fraction": 0.5, "n_kv_heads": 1}, "of n_kv_heads=1 is not a whole number"),
        ({"position": PositionEncoding.h_alibi, "n_heads": 1}, "h_alibi with n_heads=1"),
        ({"position": PositionEncoding.uniform, "has_qk_norm": True}, "has_qk_norm=true with"),
        ({"z_loss": -1.0}, "z_loss=-1.0"),
        ({"n_heads": 32}, "too narrow to rotate"),
        ({"mlp_ratio": 0.001}, "mlp_ratio=0.001"),
        ({"sliding_window": 0}, "sliding_window=0"),
        (
            {"position": PositionEncoding.uniform, "n_kv_heads": 2},
            "uniform, which has no keys to share",
        ),
        ({"position": PositionEncoding.position_only, "n_kv_heads": 2}, "n_kv_heads=2"),
    ],
)
def test_impossible_shapes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config("gpt2", **changes)


@pytest.mark.parametrize("seq_len", [1, 24, 64, 65, 300, 700])
@pytest.mark.parametrize("mask", ["causal", "window", "documents"])
@pytest.mark.parametrize("n_kv_heads", [1, 4])
def test_attention_in_blocks_is_attention(seq_len, mask, n_kv_heads):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(2, heads, seq_len, 8, generator=generator)
        for heads in (4, n_kv_heads, n_kv_heads)
    )
    document = torch.arange(seq_len).expand(2, -1) // 50
    given = AttentionMask(
        is_causal=True,
        window=10 if mask == "window" else None,
        segments=document if mask == "documents" else None,
    )
    for t in (q, k, v):
        t.requires_grad_()
    whole = attend(q, k, v, given)
    repeated = (t.repeat_interleave(4 // n_kv_heads, dim=1) for t in (k, v))
    in_blocks = _attend_in_blocks(q, *repeated, given)
    torch.testing.assert_close(in_blocks, whole, atol=1e-5, rtol=1e-4)
    halves = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), given)
    torch.testing.assert_close(halves.float(), whole, atol=0.03, rtol=0.03)

    direction = torch.randn(whole.shape, generator=generator)
    expected = torch.autograd.grad(whole, (q, k, v), direction)
    torch.testing.assert_close(
        torch.autograd.grad(in_blocks, (q, k, v), direction), expected, atol=1e-4, rtol=1e-4
    )
    of_halves = torch.autograd.grad(halves, (q, k, v), direction.bfloat16())
    for found, right in zip(of_halves, expected, strict=True):
        assert (found - right).norm() <= 0.02 * right.norm() + 1e-3


def test_gradients_of_attention_in_blocks_are_differences():
    torch.manual_seed(0)
    qkv = [torch.randn(1, 1, 65, 2, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(partial(_attend_in_blocks, mask=CAUSAL), qkv)


def n_kept(function, *inputs):
    """Numbers kept for the backward pass."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()), lambda _: None):
        function(*inputs)
    return sum(kept)


def test_attention_in_blocks_keeps_its_weights_and_no_more():
    qkv = torch.randn(3, 2, 4, 256, 8, requires_grad=True)
    n_weights = 2 * 4 * sum(64 * last for last in (64, 128, 192, 256))
    assert n_kept(partial(_attend_in_blocks, mask=CAUSAL), *qkv) <= qkv.numel() + n_weights


@pytest.mark.parametrize(("kind", "n_before", "n_after"), [(GeluMlp, 2, 1), (GatedSiluMlp, 4, 2)])
def test_compiled_hidden_layers_are_kept_once(monkeypatch, kind, n_before, n_after):
    layer = kind(4, 1000, has_bias=False)
    x = torch.randn(1000, 4)[None]
    assert n_kept(layer, x, CONTEXT) // 10**6 == n_before
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert n_kept(layer, x, CONTEXT) // 10**6 == n_after


@pytest.mark.parametrize("kind", [GeluMlp, GatedSiluMlp])
@pytest.mark.parametrize("has_bias", [True, False])
def test_an_activation_computed_again_has_the_same_gradients(monkeypatch, kind, has_bias):
    torch.manual_seed(0)
    layer = kind(8, 20, has_bias=has_bias)
    x = torch.randn(3, 5, 8, requires_grad=True)
    sources = (x, *layer.parameters())
    plain = layer(x, CONTEXT)
    direction = torch.randn(plain.shape)
    expected = torch.autograd.grad(plain, sources, direction)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    again = layer(x, CONTEXT)
    torch.testing.assert_close(again, plain, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(again, sources, direction), expected, atol=1e-5, rtol=1e-5
    )


def test_a_layer_put_in_the_place_of_another_is_called(monkeypatch):
    class Doubled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    layer = GeluMlp(8, 20, has_bias=True)
    x = torch.randn(1, 3, 8)
    plain = layer(x, CONTEXT)
    doubled = Doubled(20, 8)
    doubled.load_state_dict(layer.down.state_dict())
    layer.down = doubled
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(layer(x, CONTEXT), 2 * plain)


def test_both_forms_of_gelu_agree(monkeypatch):
    x = torch.linspace(-20, 20, 10_001)
    plain = gelu(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(gelu(x), plain, atol=2e-6, rtol=1e-5)
