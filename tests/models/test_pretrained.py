"""Models of `transformers` through our interface, against the library's own states and scores."""

import pytest
import torch
import transformers

from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from tests.models.checkpoints import save_bytewise

SMALL = {
    "hidden_size": 32,
    "n_embd": 32,
    "d_model": 32,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "num_hidden_layers": 3,
    "n_layer": 3,
    "n_layers": 3,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 300,
    "pad_token_id": 0,
    "word_embed_proj_dim": 32,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "rotary_dim": 4,
    "num_experts": 2,
    "num_local_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 24,
}
FAMILIES = ["gpt2", "llama", "gemma2", "mamba"]
MORE_FAMILIES = [
    "gptj",
    "gpt_neox",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen3",
    "phi",
    "phi3",
    "gemma",
    "gemma3_text",
    "olmo",
    "olmo2",
    "opt",
    "bloom",
    "cohere",
    "granite",
    "falcon",
    "stablelm",
]
WITHOUT_MAPS = ("mamba", "falcon")  # falcon's are not to be had after it was loaded
TOKENS = torch.arange(2 * 9).view(2, 9) * 7 % 300


def is_computed(config, name):
    """Whether a configuration works a value out by itself."""
    return isinstance(getattr(type(config), name, None), property)


def save(folder, kind):
    """A model of a family with random weights that are large enough to matter."""
    save_bytewise(folder)
    empty = transformers.AutoConfig.for_model(kind)
    known = {k: v for k, v in SMALL.items() if hasattr(empty, k) and not is_computed(empty, k)}
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **known)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.1 * (parameter.dim() == 1), std=0.2)
    model.save_pretrained(folder)


@pytest.fixture(
    scope="module",
    params=[*FAMILIES, *(pytest.param(f, marks=pytest.mark.slow) for f in MORE_FAMILIES)],
)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    save(folder, request.param)
    return load_pretrained(folder)


@torch.no_grad()
def test_states_are_the_librarys_and_make_its_scores(model):
    theirs = model.model(TOKENS, output_hidden_states=True)
    states = model.residuals(TOKENS)
    assert model.n_layers == 3
    assert len(states) == 4
    if model.model.config.model_type != "mamba":  # whose listed states are no block inputs
        torch.testing.assert_close(states[1], theirs.hidden_states[1])
        torch.testing.assert_close(model.hidden_states(TOKENS), theirs.hidden_states[-1])
    scores = model.unembed(states[-1])
    torch.testing.assert_close(scores, theirs.logits, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_going_on_from_any_state_gives_the_last_one(model):
    states = model.residuals(TOKENS)
    for k, state in enumerate(states):
        torch.testing.assert_close(model.forward_from(state, k), states[-1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model.forward_from(states[1] + 1, 1), states[-1], atol=1e-2)


@torch.no_grad()
def test_attention_is_what_the_library_shows_and_one_block_can_be_asked_for(model):
    if model.model.config.model_type in WITHOUT_MAPS:
        with pytest.raises(InputError, match="block 0 returns no attention weights"):
            model.attention_patterns(TOKENS)
        return
    before = model(TOKENS)
    ((number, maps),) = model.attention_patterns(TOKENS, [1])
    assert number == 1
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    assert not maps.triu(1).any()
    assert torch.equal(model(TOKENS), before)
    model.model.set_attn_implementation("eager")
    theirs = model.model(TOKENS, output_attentions=True).attentions
    torch.testing.assert_close(maps, theirs[1].float())
    found = list(model.attention_patterns(TOKENS, [2, 0]))
    assert [layer for layer, _ in found] == [2, 0]
    assert all(torch.equal(pattern, theirs[layer].float()) for layer, pattern in found)


@torch.no_grad()
def test_tokens_to_the_right_of_a_text_change_nothing(model):
    padded = torch.nn.functional.pad(TOKENS, (0, 4))
    longer, shorter = model.residuals(padded)[:, :, :9], model.residuals(TOKENS)
    torch.testing.assert_close(longer, shorter, atol=1e-4, rtol=1e-4)


@pytest.fixture
def llama(tmp_path):
    save(tmp_path, "llama")
    return load_pretrained(tmp_path)


def test_segments_are_refused(llama):
    with pytest.raises(InputError, match="leave segments out"):
        llama.residuals(TOKENS, None, torch.zeros_like(TOKENS))


def test_scores_that_the_parts_do_not_make_are_refused(llama):
    """Something is done to the scores that is neither a factor nor a soft cap."""
    inner = llama.model.forward

    def bent(*args, **options):
        out = inner(*args, **options)
        out.logits = out.logits.abs()
        return out

    llama.model.forward = bent
    with pytest.raises(InputError, match="neither a factor nor a soft cap"):
        llama.residuals(TOKENS)


def test_blocks_that_are_no_stream_are_refused(llama):
    """The second block reads something else than the first one wrote."""
    block = llama.model.model.layers[1]
    block.register_forward_pre_hook(
        lambda _, args, kwargs: ((args[0] * 2, *args[1:]), kwargs), with_kwargs=True
    )
    with pytest.raises(
        InputError, match="no list of 3 modules reads each the output of the one before"
    ):
        llama.residuals(TOKENS)


def test_a_model_whose_blocks_read_the_tokens_again_cannot_go_on_from_a_state(llama):
    """Its stream and its readout are as they should be."""
    embedded, block = [], llama.model.model.layers[1]
    inputs = llama.model.get_input_embeddings()
    inputs.register_forward_hook(lambda _, __, out: embedded.append(out))
    block.mlp.register_forward_hook(lambda _, __, out: out + embedded[-1])
    states = llama.residuals(TOKENS)
    torch.testing.assert_close(llama.forward_from(states[2], 2), states[3])
    with pytest.raises(InputError, match="blocks after state 1 read more than the residual stream"):
        llama.forward_from(states[1], 1)
