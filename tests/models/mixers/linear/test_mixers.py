"""Mixers of linear attention in a decoder: sizes, causality, documents, decoding."""

from dataclasses import replace

import pytest
import scipy.stats
import torch
import transformers

from physlm.models.architecture import DecoderConfig
from physlm.models.attention_mask import AttentionMask
from physlm.models.canon_config import CanonConfig
from physlm.models.components import MlpKind, NormKind, PositionEncoding
from physlm.models.context import Context
from physlm.models.mixers.linear_config import FeatureMap, GatedDeltaConfig, GlaConfig, Mamba2Config
from physlm.models.parameters import roles, starts
from physlm.models.size import n_parameters
from physlm.run_id import identity

KINDS = {
    "gla": GlaConfig(n_heads=2),
    "gla_conv": GlaConfig(n_heads=2, has_convolution=True, feature_map=FeatureMap.elu),
    "gdn": GatedDeltaConfig(n_heads=3),
    "gdn_noconv": GatedDeltaConfig(n_heads=3, has_convolution=False),
    "gla_silu": GlaConfig(n_heads=2, has_silu=True),
    "mamba2": Mamba2Config(n_heads=4, d_state=8),
    "mamba2_noconv": Mamba2Config(n_heads=4, d_state=8, has_convolution=False),
}
CANONS = {"": None, "canon": CanonConfig()}
FAST = {("gla", ""), ("gla_conv", "canon"), ("gdn", "canon"), ("mamba2", "canon")}
MODELS = [
    pytest.param(kind, canon, marks=[] if (kind, canon) in FAST else pytest.mark.slow)
    for kind in KINDS
    for canon in CANONS
]


def config(kind, canon="", **changes):
    return DecoderConfig(
        n_layers=2,
        d_model=24,
        position=PositionEncoding.none,
        norm=NormKind.rmsnorm,
        mlp=MlpKind.gated_silu,
        has_bias=False,
        mixer=KINDS[kind],
        canon=CANONS[canon],
        **{"init_std": 0.3, **changes},
    )


def build(kind, canon="", **changes):
    return config(kind, canon, **changes).build(17, 100, 0)


def tokens(*shape, seed=0):
    return torch.randint(17, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kind", "canon"), MODELS)
def test_parameters_are_as_many_as_the_closed_form_says(kind, canon):
    given = config(kind, canon)
    model = given.build(17, 100, 0)
    assert model.n_parameters() == n_parameters(given, 17, 100)
    assert {"attention", "mlp", "norm"} <= set(roles(model).values())
    assert len(starts(model)) == len(dict(model.named_parameters()))


@torch.no_grad()
@pytest.mark.parametrize(("kind", "canon"), MODELS)
def test_text_written_token_by_token_has_the_scores_of_whole_texts(kind, canon):
    model = build(kind, canon).eval()
    lengths = torch.tensor([3, 70, 1])
    rows = tokens(3, 90)
    scores, state = model.prefill(rows[:, :70], lengths, 90)
    read = [rows[i, :n].tolist() for i, n in enumerate(lengths.tolist())]
    for step in range(4):
        for row, text in enumerate(read):
            expected = model(torch.tensor([text]))[0, -1]
            torch.testing.assert_close(scores[row], expected, rtol=1e-4, atol=2e-5)
        new = rows[:, 70 + step]
        scores = model.decode(new, state)
        for text, token in zip(read, new.tolist(), strict=True):
            text.append(token)
    state.keep(torch.tensor([1]))
    scores = model.decode(rows[1:2, 80], state)
    expected = model(torch.tensor([[*read[1], rows[1, 80]]]))[0, -1]
    torch.testing.assert_close(scores[0], expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("kind", "canon"), MODELS)
def test_a_token_reads_no_later_one_and_every_earlier_one(kind, canon):
    model = build(kind, canon)
    x = model.embed(tokens(1, 30)).detach().requires_grad_()
    last = model.run(x, model.context(30))
    (gradient,) = torch.autograd.grad(last[0, 19].square().sum(), x)
    reached = gradient[0].norm(dim=-1)
    assert not reached[20:].any()
    assert (reached[:20] > 0).all()


@torch.no_grad()
@pytest.mark.parametrize(("kind", "canon"), MODELS)
def test_a_document_does_not_read_the_one_before_it(kind, canon):
    model = build(kind, canon)
    row = tokens(1, 80)
    segments = (torch.arange(80) >= 41).long()[None]
    together = model(row, segments)
    torch.testing.assert_close(together[:, :41], model(row[:, :41]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together[:, 41:], model(row[:, 41:]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model(row)[:, 41:], together[:, 41:], atol=1e-2)


@torch.no_grad()
def test_mamba2_is_that_of_transformers():
    theirs = transformers.Mamba2Config(
        hidden_size=24,
        expand=2,
        num_heads=4,
        head_dim=12,
        state_size=8,
        n_groups=1,
        conv_kernel=4,
        chunk_size=16,
        use_bias=False,
        use_conv_bias=True,
        rms_norm=True,
        num_hidden_layers=1,
        vocab_size=17,
    )
    other = transformers.models.mamba2.modeling_mamba2.Mamba2Mixer(theirs, layer_idx=0)
    own = build("mamba2").blocks[0].attention
    own.norm.weight.uniform_(0.5, 1.5)
    other.in_proj.weight.copy_(own.projection.weight)
    other.conv1d.weight.copy_(own.convolution.weight[:, None])
    other.conv1d.bias.copy_(own.convolution.bias.uniform_(-1, 1))
    other.A_log.copy_(own.log_rate)
    other.D.copy_(own.skip.uniform_(-1, 1))
    other.dt_bias.copy_(own.step_bias)
    other.norm.weight.copy_(own.norm.weight)
    other.norm.variance_epsilon = own.norm.eps
    other.out_proj.weight.copy_(own.out.weight)
    x = torch.randn(2, 50, 24, generator=torch.Generator().manual_seed(1))
    context = Context(mask=AttentionMask(is_causal=True), n_positions=50)
    torch.testing.assert_close(own(x, context), other(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_initial_values_follow_the_seed_alone(kind):
    first, second, other = (build(kind, "canon", init_std=0.02) for _ in range(3))
    del other
    torch.manual_seed(3)
    again = build(kind, "canon", init_std=0.02)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(again.named_parameters())[name]), name
        assert torch.equal(value, dict(second.named_parameters())[name]), name


def test_decay_rates_and_steps_begin_in_their_published_ranges():
    mamba = Mamba2Config(n_heads=48, d_state=8)
    block = (
        DecoderConfig(n_layers=1, d_model=48, position=PositionEncoding.none, mixer=mamba)
        .build(17, 10, 0)
        .blocks[0]
    )
    rates = block.attention.log_rate.exp()
    steps = torch.nn.functional.softplus(block.attention.step_bias)
    assert 1 <= rates.min() < 4
    assert 13 < rates.max() <= 16
    assert 0.001 <= steps.min() < 0.003
    assert 0.04 < steps.max() <= 0.1001


@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        (GlaConfig(n_heads=5), "d_model=24: the keys of width 12 are not divisible by"),
        (GatedDeltaConfig(n_heads=4), "the keys of width 18 are not divisible by model.mixer"),
        (Mamba2Config(n_heads=5), "the inputs of width 48 are not divisible by"),
    ],
)
def test_heads_that_do_not_divide_their_width_are_refused(mixer, message):
    with pytest.raises(ValueError, match=message):
        DecoderConfig(n_heads=2, d_model=24, position=PositionEncoding.none, mixer=mixer)


@pytest.mark.parametrize("field", ["n_heads", "convolution_kernel"])
def test_sizes_below_1_are_refused(field):
    with pytest.raises(ValueError, match=f"{field}=0; must be at least 1"):
        GlaConfig(**{field: 0})


def by_hand(mixer, x, kind):
    """The published formulas of a mixer, token by token, from its weights alone."""
    n_heads, (d_key, _, d_value) = mixer.n_heads, mixer.widths
    projected, has_silu = x @ mixer.qkv.weight.T, getattr(mixer, "has_silu", False)
    if mixer.convolution is not None:
        taps = mixer.convolution.weight
        padded = torch.nn.functional.pad(projected, (0, 0, taps.shape[1] - 1, 0))
        windows = padded.unfold(1, taps.shape[1], 1)
        projected = (windows * taps).sum(-1)
    if kind == "gdn" or mixer.convolution is not None or has_silu:
        projected = projected * projected.sigmoid()
    q, k, v = (part.unflatten(-1, (n_heads, -1)) for part in projected.split(mixer.widths, -1))
    if kind == "gla":
        if mixer.feature_map is FeatureMap.elu:
            q, k = (torch.where(part > 0, part + 1, part.exp()) for part in (q, k))
        low = x @ mixer.decay_down.weight.T
        rates = low @ mixer.decay_up.weight.T + mixer.decay_up.bias
        log_decay = (rates.sigmoid().log() / 16).unflatten(-1, (n_heads, -1))
        beta = torch.ones(*x.shape[:2], n_heads)
    else:
        steps = (1 + (x @ mixer.decay.weight.T + mixer.step_bias).exp()).log()
        log_decay = (-mixer.log_rate.exp() * steps)[..., None].expand(-1, -1, -1, d_key // n_heads)
        beta = (x @ mixer.strength.weight.T).sigmoid()
        q, k = (part / (part.square().sum(-1, keepdim=True) + 1e-6).sqrt() for part in (q, k))
    state = torch.zeros(len(x), n_heads, d_key // n_heads, d_value // n_heads)
    read = []
    for t in range(x.shape[1]):
        state = log_decay[:, t].exp()[..., None] * state
        new = v[:, t]
        if kind == "gdn":
            new = new - torch.einsum("bhk,bhkv->bhv", k[:, t], state)
        new = beta[:, t, :, None] * new
        state = state + k[:, t, ..., None] * new[..., None, :]
        read.append(torch.einsum("bhk,bhkv->bhv", q[:, t], state) / (d_key // n_heads) ** 0.5)
    out = torch.stack(read, dim=1)
    normed = out / (out.square().mean(-1, keepdim=True) + mixer.norm.norm.eps).sqrt()
    gate = x @ mixer.gate.weight.T
    gated = (normed * mixer.norm.norm.weight).flatten(2) * gate * gate.sigmoid()
    return gated @ mixer.out.weight.T


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gla", "gla"),
        ("gla_conv", "gla"),
        ("gla_silu", "gla"),
        ("gdn", "gdn"),
        ("gdn_noconv", "gdn"),
    ],
)
def test_a_mixer_follows_the_published_formulas(name, kind):
    mixer = build(name).blocks[0].attention
    x = torch.randn(2, 20, 24, generator=torch.Generator().manual_seed(0))
    found = mixer(x, Context(mask=AttentionMask(is_causal=True), n_positions=20))
    torch.testing.assert_close(found, by_hand(mixer, x, kind), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("has_convolution", [False, True])
def test_canon_of_gated_deltanet_comes_before_silu_or_after(has_convolution):
    found = {}
    for is_after in (False, True):
        kind = GatedDeltaConfig(
            n_heads=3, has_convolution=has_convolution, has_canon_after_silu=is_after
        )
        given = replace(config("gdn"), mixer=kind, canon=CanonConfig(positions="B"))
        mixer = given.build(17, 100, 0).blocks[0].attention
        x = torch.randn(2, 20, 24, generator=torch.Generator().manual_seed(0))
        context = Context(mask=AttentionMask(is_causal=True), n_positions=20)
        found[is_after] = mixer(x, context)
        # The same by hand: layers one after another, in front of a mixer that has none of them.
        canon, convolution, projected = mixer.canon, mixer.convolution, mixer.qkv(x)
        activated = convolution if has_convolution else torch.nn.functional.silu
        projected = canon(activated(projected)) if is_after else activated(canon(projected))
        plain = GatedDeltaConfig(n_heads=3, has_convolution=False)
        bare = replace(config("gdn"), mixer=plain).build(17, 100, 0).blocks[0].attention
        own = mixer.state_dict()
        bare.load_state_dict({name: own[name] for name in bare.state_dict()})
        bare._activated = lambda _, __, projected=projected: projected
        torch.testing.assert_close(found[is_after], bare(x, context), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[False], found[True], atol=1e-3)


@torch.no_grad()
def test_canon_after_silu_decodes_token_by_token_as_whole_texts():
    kind = GatedDeltaConfig(n_heads=3, has_canon_after_silu=True)
    model = replace(config("gdn", "canon"), mixer=kind).build(17, 100, 0).eval()
    rows = tokens(2, 12)
    scores, state = model.prefill(rows[:, :9], torch.tensor([9, 4]), 12)
    torch.testing.assert_close(scores[0], model(rows[:1, :9])[0, -1], rtol=1e-4, atol=2e-5)
    after = model.decode(rows[:, 9], state)
    torch.testing.assert_close(after[0], model(rows[:1, :10])[0, -1], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda: GlaConfig(has_silu=True, has_convolution=True), "has_silu=true with has_conv"),
        (
            lambda: Mamba2Config(has_convolution=False, convolution_bias_init="uniform"),
            "convolution_bias_init=uniform with has_convolution=false; leave it out",
        ),
        (
            lambda: replace(
                config("gdn"), mixer=GatedDeltaConfig(n_heads=3, has_canon_after_silu=True)
            ),
            "has_canon_after_silu=true without Canon at B; add it with .canon=abcd",
        ),
    ],
)
def test_switches_of_what_is_not_there_are_refused(make, refusal):
    with pytest.raises(ValueError, match=refusal):
        make()


def test_biases_of_mamba2_start_at_zero_or_as_those_of_a_convolution():
    many = Mamba2Config(n_heads=4, d_state=200, convolution_bias_init="uniform")
    given = replace(config("mamba2"), d_model=200, mixer=many)
    model = given.build(17, 100, 0)
    biases = torch.cat([block.attention.convolution.bias for block in model.blocks])
    assert scipy.stats.kstest(biases.detach().numpy() + 0.5, "uniform").pvalue > 1e-3
    before = replace(given, mixer=Mamba2Config(n_heads=4, d_state=200)).build(17, 100, 0)
    for name, value in before.named_parameters():
        if name.endswith("convolution.bias"):
            assert not value.any()
        else:
            assert torch.equal(value, dict(model.named_parameters())[name]), name
    assert "convolution_bias_init" not in identity(KINDS["mamba2"])


def test_rates_of_decay_start_as_published():
    """Gated DeltaNet: A from U(0, 16), softplus of the bias log-uniform from 0.001 to 0.1."""
    many = GatedDeltaConfig(n_heads=48)
    given = DecoderConfig(n_layers=4, d_model=192, position=PositionEncoding.none, mixer=many)
    blocks = given.build(8, 8, 0).blocks
    rates = torch.cat([block.attention.log_rate.exp() for block in blocks]) / 16
    biases = torch.cat([block.attention.step_bias for block in blocks])
    steps = (1 + biases.exp()).log().log10().add(3).div(2)
    for values in (rates, steps):
        assert scipy.stats.kstest(values.detach().numpy(), "uniform").pvalue > 1e-3
