"""What is refused of a checkpoint when its inside is shown, and how its weights may be stored."""

import json

import pytest
import torch
import transformers

from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from tests.models.families import save

TOKENS = torch.arange(2 * 9).view(2, 9) * 7 % 300


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
    with pytest.raises(InputError, match="no 3 modules run each on the output of the one before"):
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


def test_scores_that_norm_and_head_do_not_make_are_refused(llama):
    """The transform of its scores is as it should be."""
    llama.model.lm_head.register_forward_hook(lambda _, __, out: out + 1)
    with pytest.raises(InputError, match="norm and output head do not give its scores"):
        llama.residuals(TOKENS)


@torch.no_grad()
def test_sharded_weights_in_bf16_are_read_as_they_are(tmp_path):
    save(tmp_path, "llama")
    parts = tmp_path / "parts"
    whole = load_pretrained(tmp_path).model.to(torch.bfloat16)
    whole.save_pretrained(parts, max_shard_size="20KB")
    assert len([*parts.glob("model-*.safetensors")]) > 2
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).rename(parts / name)
    found = load_pretrained(parts)
    states = found.residuals(TOKENS)
    assert states.dtype == torch.bfloat16
    theirs = transformers.AutoModelForCausalLM.from_pretrained(parts, dtype="auto")
    assert torch.equal(found(TOKENS), theirs(TOKENS).logits)
    assert torch.equal(states[2], theirs(TOKENS, output_hidden_states=True).hidden_states[2])
    scores = found.unembed(states[-1])
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, found(TOKENS).float(), rtol=0.02, atol=0.1)
    exact = load_pretrained(parts, torch.float32).residuals(TOKENS)
    torch.testing.assert_close(states.float(), exact, rtol=0.1, atol=0.1)
    index = json.loads((parts / "model.safetensors.index.json").read_text())
    one = next(iter(index["weight_map"].values()))
    (parts / one).unlink()
    with pytest.raises(InputError, match=one):
        load_pretrained(parts)


NOT_CAUSAL = {
    "roberta": ("AutoModelForMaskedLM", "RobertaForCausalLM reads on both sides"),
    "distilbert": ("AutoModelForMaskedLM", "holds distilbert, which predicts no next token"),
    "t5": ("AutoModelForSeq2SeqLM", r"holds an encoder and a decoder \(t5\)"),
    "clip_vision_model": ("AutoModel", "holds clip_vision_model, which predicts no next token"),
}


@pytest.mark.parametrize("kind", NOT_CAUSAL)
def test_a_model_that_is_not_causal_is_refused_in_one_line(tmp_path, kind):
    auto, message = NOT_CAUSAL[kind]
    save(tmp_path, kind, auto)
    with pytest.raises(InputError, match=f"{message}.*; give a causal model$") as caught:
        load_pretrained(tmp_path)
    assert "\n" not in str(caught.value)
