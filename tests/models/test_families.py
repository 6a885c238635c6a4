"""Many families of `transformers` through our interface, which has code for none of them."""

import pytest
import torch

from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from tests.models.families import N_TOKENS, save

FAST = ["gpt2", "gemma2", "llava"]
OTHERS = [
    "bloom",
    "cohere",
    "cohere2",
    "deepseek_v3",
    "falcon",
    "gemma",
    "gemma3",
    "gemma3_text",
    "glm",
    "gpt_neo",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "granite",
    "llama",
    "mamba",
    "mistral",
    "mixtral",
    "mpt",
    "nemotron",
    "olmo",
    "olmo2",
    "olmo3",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen2_vl",
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "recurrent_gemma",
    "smollm3",
    "stablelm",
    "starcoder2",
]
FAMILIES = [*FAST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)]
# Blocks with attention weights, where not all have them; falcon hides them once it was loaded.
WITH_MAPS = {"falcon": [], "mamba": [], "qwen3_next": [3], "recurrent_gemma": []}
SINKS = ("gpt_oss",)  # which have a part of each row of attention
TOKENS = torch.arange(2 * 9).view(2, 9) * 7 % (N_TOKENS - 10)


@torch.no_grad()
@pytest.mark.parametrize("kind", FAMILIES)
def test_states_scores_and_attention_are_the_librarys(tmp_path, kind):
    save(tmp_path, kind)
    model = load_pretrained(tmp_path)
    theirs = model.model(TOKENS, output_hidden_states=True, use_cache=False)
    states = model.residuals(TOKENS)
    read = states_by_hooks(model)
    assert len(states) == model.n_layers + 1 == len(read) + 1
    assert all(torch.equal(ours, block) for ours, block in zip(states, read, strict=False))
    if kind != "mamba":  # whose listed states are no block inputs
        for ours, listed in zip(states, theirs.hidden_states[:-1], strict=False):
            torch.testing.assert_close(ours, listed)
        torch.testing.assert_close(model.hidden_states(TOKENS), theirs.hidden_states[-1])
    torch.testing.assert_close(model.unembed(states[-1]), theirs.logits, atol=1e-5, rtol=1e-5)
    assert theirs.logits.std() > 0.02
    require_going_on(model, states)
    require_right_padding(model, states)
    require_attention(model, kind)


def states_by_hooks(model):
    """What each block reads: the module lists of its length whose modules run on text."""
    n, read = model.n_layers, []
    hooks = [
        block.register_forward_pre_hook(
            lambda _, args, kwargs: read.append(args[0] if args else kwargs["hidden_states"]),
            with_kwargs=True,
        )
        for blocks in model.model.modules()
        if isinstance(blocks, torch.nn.ModuleList) and len(blocks) == n
        for block in blocks
    ]
    model.model(TOKENS, use_cache=False)
    for hook in hooks:
        hook.remove()
    return read


def require_going_on(model, states):
    """From any state the last one follows, and another one from another state."""
    for k, state in enumerate(states):
        torch.testing.assert_close(model.forward_from(state, k), states[-1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model.forward_from(states[1] + 1, 1), states[-1], atol=1e-2)


def require_right_padding(model, states):
    """Tokens to the right of a text change nothing."""
    padded = torch.nn.functional.pad(TOKENS, (0, 4))
    torch.testing.assert_close(model.residuals(padded)[:, :, :9], states, atol=1e-4, rtol=1e-4)


def require_attention(model, kind):
    """Weights are those that the library shows, layer by layer, in any order."""
    layers = WITH_MAPS.get(kind, list(range(model.n_layers)))
    for layer in {0} - {*layers}:
        with pytest.raises(InputError, match="block 0 returns no attention weights"):
            model.attention_patterns(TOKENS, [layer])
    if not layers:
        return
    before = model(TOKENS)
    found = list(model.attention_patterns(TOKENS, layers[::-1]))
    assert torch.equal(model(TOKENS), before)
    assert [layer for layer, _ in found] == layers[::-1]
    model.model.set_attn_implementation("eager")
    theirs = model.model(TOKENS, output_attentions=True).attentions
    theirs = theirs if len(theirs) == len(layers) else [theirs[layer] for layer in layers]
    for (_, pattern), expected in zip(found[::-1], theirs, strict=True):
        assert torch.equal(pattern, expected.float())
        assert not pattern.triu(1).any()
        sums = pattern.sum(-1)
        if kind in SINKS:
            assert (sums < 1).all()
        else:
            torch.testing.assert_close(sums, torch.ones_like(sums))
