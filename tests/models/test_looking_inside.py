"""States, readouts and attention of our own models against hooks and against the model itself."""

import pytest
import torch

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.size import n_parameters
from tests.models.test_decoder import tokens
from tests.models.test_transformer import KINDS, build
from tests.plugin.running_mean import RunningMeanConfig

SEGMENTS = (torch.arange(12) >= 5).long().expand(2, -1)


def states_by_hooks(model, *given):
    """What each block reads, and what the final norm reads."""
    read = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        for module in (*model.blocks, model.norm)
    ]
    model(*given)
    for hook in hooks:
        hook.remove()
    return torch.stack(read)


@torch.no_grad()
@pytest.mark.parametrize("segments", [None, SEGMENTS], ids=["whole", "segments"])
@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_what_blocks_and_the_final_norm_read(kind, segments):
    model = build(kind)
    expected = states_by_hooks(model, tokens(), segments)
    assert model.n_layers == 2
    assert torch.equal(model.residuals(tokens(), segments=segments), expected)
    chosen = model.residuals(tokens(), [2, 0], segments)
    assert torch.equal(chosen, expected[[2, 0]])


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_unembedding_the_last_state_gives_the_models_scores(kind):
    model = build(kind)
    last = model.residuals(tokens(), [2])[0]
    torch.testing.assert_close(model.unembed(last), model(tokens()))
    hidden = model.hidden_states(tokens())
    assert torch.equal(model.norm(last), hidden)
    torch.testing.assert_close(hidden @ model.output_weight.T, model(tokens()))
    halves = build(kind).bfloat16()
    assert halves.unembed(last.bfloat16()).dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("segments", [None, SEGMENTS], ids=["whole", "segments"])
@pytest.mark.parametrize("kind", KINDS)
def test_going_on_from_any_state_gives_the_last_one(kind, segments):
    model = build(kind)
    states = model.residuals(tokens(), segments=segments)
    for k, state in enumerate(states):
        assert torch.equal(model.forward_from(state, k, segments), states[-1])


def test_a_replaced_state_reaches_the_end_and_gradients_come_back():
    model = build("gpt2")
    state = model.residuals(tokens(), [1])[0].detach().requires_grad_()
    model.unembed(model.forward_from(state, 1)).sum().backward()
    assert state.grad.abs().sum() > 0
    assert not torch.equal(model.forward_from(2 * state, 1), model.forward_from(state, 1))


def test_no_block_runs_beyond_the_last_state_that_is_asked_for():
    model, calls = build("gpt2"), []
    for number, block in enumerate(model.blocks):
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
    model.residuals(tokens(), [1])
    list(model.attention_patterns(tokens(), [0]))
    assert calls == [0]


@pytest.mark.parametrize("layers", [[1, 0], [0, 1], [1, 1]])
def test_attention_patterns_come_in_the_order_of_the_layers_given(layers):
    model = build("gpt2")
    every = dict(model.attention_patterns(tokens()))
    assert list(every) == [0, 1]
    found = list(model.attention_patterns(tokens(), layers))
    assert [layer for layer, _ in found] == layers
    assert all(torch.equal(pattern, every[layer]) for layer, pattern in found)


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda m: m.residuals(tokens(), [3]), r"state 3 does not exist; this model has 0 to 2"),
        (lambda m: m.residuals(tokens(), [-1]), "state -1 does not exist"),
        (lambda m: m.residuals(tokens(), []), r"states=\[\]; give at least one"),
        (lambda m: m.forward_from(torch.zeros(2, 12, 32), 3), "state 3 does not exist"),
        (lambda m: m.attention_patterns(tokens(), [2]), "layer 2 does not exist"),
    ],
)
def test_states_and_layers_that_are_not_there_are_refused(look, message):
    with pytest.raises(InputError, match=message):
        look(build("gpt2"))


@torch.no_grad()
def test_a_mixer_of_somebody_else_generates_as_it_reads():
    config = DecoderConfig(d_model=16, position=PositionEncoding.none, mixer=RunningMeanConfig())
    model = config.build(20, 12, 0)
    assert model.n_parameters() == n_parameters(config, 20, 12)
    lengths, texts = [3, 5], tokens(2, 9)
    scores, state = model.prefill(texts[:, :5], torch.tensor(lengths), 9)
    for n_more in range(4):
        if n_more:
            new = [text[n + n_more - 1] for text, n in zip(texts, lengths, strict=True)]
            scores = model.decode(torch.stack(new), state)
        whole = [model(t[None, : n + n_more])[0, -1] for t, n in zip(texts, lengths, strict=True)]
        torch.testing.assert_close(scores, torch.stack(whole))
    assert len(model.residuals(texts)) == 3
    with pytest.raises(InputError, match="RunningMean has no attention weights"):
        list(model.attention_patterns(texts))


@pytest.mark.parametrize(
    "given",
    [
        {"position": PositionEncoding.relative},
        {"position": PositionEncoding.rope},
        {"n_kv_heads": 1},
        {"sliding_window": 4},
    ],
)
def test_what_a_mixer_does_not_go_by_is_refused(given):
    settings = {"position": PositionEncoding.none, "mixer": RunningMeanConfig()}
    with pytest.raises(ValueError, match=f"{next(iter(given))}=.*, but mixer=running_mean"):
        DecoderConfig(**(settings | given))


def test_an_untrained_control_is_in_the_mode_of_its_model():
    model = build("gpt2").eval()
    assert not model.untrained(0).training
