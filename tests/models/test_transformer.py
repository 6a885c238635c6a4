"""What decoders and encoders of every kind of position have in common."""

import pytest
import torch

from physlm.errors import InputError
from physlm.models.architecture import EncoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.language_model import LanguageModel
from physlm.models.size import n_parameters
from physlm.train.objective import Objective
from tests.models.test_decoder import STYLES, config, tokens
from tests.models.test_encoder import ENCODERS, encoder_config
from tests.models.test_transformers_format import scramble

KINDS = [*STYLES, *(f"encoder {name}" for name in ENCODERS)]


def config_of(kind, **changes):
    if kind.startswith("encoder "):
        return encoder_config(kind.removeprefix("encoder "), **changes)
    return config(kind, **changes)


def build(kind, **changes):
    return scramble(config_of(kind, **changes).build(20, 12, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_counts_are_the_closed_form_and_what_torch_counts(kind):
    model = config_of(kind).build(20, 12, 0)
    assert model.n_parameters() == n_parameters(config_of(kind), 20, 12)
    assert sum(model.n_parameters().values()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_alone_say_that_they_see_both_sides(kind):
    assert config_of(kind).build(20, 12, 0).is_causal != kind.startswith("encoder ")


def is_seen_by_brute_force(kind, seq_len):
    """Which of two documents' tokens see which."""
    settings, place = config_of(kind), torch.arange(seq_len)
    distance = place[:, None] - place
    is_seen = (place[:, None] >= 5) == (place >= 5)
    if settings.is_causal:
        is_seen = is_seen & (distance >= 0) & (distance < (settings.sliding_window or seq_len))
    return is_seen


@pytest.mark.parametrize("kind", KINDS)
def test_attention_patterns_are_distributions_over_what_is_seen(kind):
    model, document = build(kind), (torch.arange(12) >= 5).long().expand(2, -1)
    maps = patterns(model, tokens(), document)
    assert maps.shape == (2, 2, 4, 12, 12)
    assert (maps.dtype, maps.requires_grad) == (torch.float32, False)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 4, 12))
    is_seen = is_seen_by_brute_force(kind, 12)
    assert not maps[..., ~is_seen].any()
    if config_of(kind).position not in (PositionEncoding.uniform, PositionEncoding.h_alibi):
        assert maps[..., is_seen].all()


def patterns(model, *given):
    numbers, maps = zip(*model.attention_patterns(given[0], None, *given[1:]), strict=True)
    assert numbers == (0, 1)
    return torch.stack(maps)


def values_of(attention, x, context):
    """The values of all heads, which heads may share."""
    shape = attention.shape
    projected = attention.value(x) if hasattr(attention, "value") else attention.qkv(x)
    if attention.canon is not None:
        projected = attention.canon(projected, context)
    values = projected[..., projected.shape[-1] - shape.d_kv :]
    by_head = values.unflatten(-1, (-1, shape.head_width)).transpose(1, 2)
    return by_head.repeat_interleave(shape.n_heads // by_head.shape[1], dim=1)


@torch.no_grad()
@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_attention_patterns_times_values_are_what_layers_gather(kind, is_masked):
    model, seen = build(kind), []
    for block in model.blocks:
        block.attention.register_forward_hook(lambda _, given, out: seen.append((*given, out)))
    document = torch.arange(12).expand(2, -1) // 4
    segments = document if is_masked else None
    model.hidden_states(tokens(), segments)
    maps = patterns(model, tokens(), segments)
    for block, layer, (x, context, out) in zip(model.blocks, maps, seen, strict=False):
        gathered = (layer @ values_of(block.attention, x, context)).transpose(1, 2).flatten(2)
        torch.testing.assert_close(block.attention.out(gathered), out, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_a_linear_map_of_hidden_states(kind):
    model = build(kind)
    expected = model.hidden_states(tokens()) @ model.unembedding.weight[:20].T
    torch.testing.assert_close(model(tokens()), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_model_is_the_same_architecture_with_the_seeds_weights(kind):
    model = build(kind).double()
    control, again = model.untrained(3), config_of(kind).build(20, 12, 3).double()
    assert control.embedding.weight.dtype == torch.float64
    assert all(map(torch.equal, control.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(control.embedding.weight, model.embedding.weight)
    assert control.n_parameters() == model.n_parameters()


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss_also_of_masked_documents(kind):
    model = config_of(kind, init_std=0.02).build(20, 12, 0)
    objective = Objective(model, eos=19, is_visible_across_documents=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    windows = tokens(16, 13)
    losses = []
    for _ in range(12):
        loss = objective(windows)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert losses[-1] < 0.95 * losses[0]


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_bf16_scores_are_those_of_fp32_to_its_tolerance(kind):
    model = config_of(kind, init_std=0.1).build(20, 12, 0)
    with torch.autocast("cpu", torch.bfloat16):
        halves = model(tokens()).float()
    whole = model(tokens())
    assert (halves - whole).norm() < 0.02 * whole.norm()


@torch.no_grad()
@pytest.mark.parametrize(
    "lengths", [pytest.param([7, 7, 7], marks=pytest.mark.slow), [1, 7, 3]], ids=["even", "mixed"]
)
@pytest.mark.parametrize("style", STYLES)
def test_scores_of_token_by_token_reading_are_those_of_whole_texts(style, lengths):
    # A window of 9: distances beyond it are clamped.
    n_positions = 9 if style == "learned" else 16
    model = scramble(config(style).build(20, 9, 0))
    texts = tokens(3, n_positions)
    logits, cache = model.prefill(texts[:, :7], torch.tensor(lengths), n_positions)
    for n_read in range(n_positions - max(lengths) + 1):
        if n_read:
            rows = [text[length + n_read - 1] for text, length in zip(texts, lengths, strict=True)]
            logits = model.decode(torch.stack(rows), cache)
        for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            whole = model(text[None, : length + n_read])[0, -1]
            torch.testing.assert_close(logits[row], whole, atol=1e-4, rtol=1e-4)


class Bare(LanguageModel):
    vocabulary_size = 20

    def forward(self, tokens, segments=None):
        return torch.zeros(*tokens.shape, 20)


@pytest.mark.parametrize("name", ["hidden_states", "residuals", "attention_patterns", "untrained"])
def test_what_a_model_does_not_show_is_refused(name):
    given = 0 if name == "untrained" else tokens()
    with pytest.raises(InputError, match=f"Bare has no {name}; define it"):
        getattr(Bare(), name)(given)


def test_prompts_wider_than_n_positions_are_refused():
    model = build("gpt2")
    with pytest.raises(InputError, match="prompts of 12 tokens exceed n_positions=11"):
        model.prefill(tokens(), torch.tensor([3, 12]), 11)


def test_encoders_do_not_generate():
    model = EncoderConfig().build(20, 12, 0)
    with pytest.raises(InputError, match="this model cannot generate"):
        model.prefill(tokens(), torch.tensor([12, 12]), 20)
