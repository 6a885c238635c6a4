"""Adapters: nothing at first, low rank afterwards, and the same function once merged."""

from dataclasses import replace

import pytest
import torch

from physlm.errors import InputError
from physlm.models.adapter import adapted, merged
from physlm.models.architecture import DecoderConfig
from physlm.models.canon_config import CanonConfig
from physlm.models.components import PositionEncoding
from physlm.models.inherited import InheritedConfig, Lora, Tuning
from tests.plugin.running_mean import RunningMeanConfig

STYLES = {
    "gpt2": DecoderConfig(d_model=32, n_layers=2),
    "llama": DecoderConfig(
        d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, has_bias=False, tie_embeddings=False
    ),
    "relative": DecoderConfig(d_model=32, n_layers=1, position=PositionEncoding.relative),
    "canon": DecoderConfig(d_model=32, n_layers=1, canon=CanonConfig(), has_qk_norm=True),
}
TOKENS = torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(0))


def disturbed(model):
    """The same model with adapters that do something."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.5, generator=generator)
    return model


@pytest.fixture(params=STYLES)
def plain(request):
    return STYLES[request.param].build(50, 16, 0).eval()


def test_an_untrained_adapter_changes_nothing_and_is_all_that_is_trained(plain):
    model = adapted(plain, Lora(rank=3, embedding_rank=5, alpha=8), seed=0).eval()
    assert torch.equal(model(TOKENS), plain(TOKENS))
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name for name in trained)
    assert {name.split(".lora")[0].split(".")[-1] for name in trained} == {
        "query",
        "value",
        "embedding",
    }
    assert all(p.requires_grad for p in plain.parameters())


def test_merged_it_is_a_plain_model_of_the_same_function(plain):
    model = disturbed(adapted(plain, Lora(rank=3, embedding_rank=5, alpha=8), seed=0)).eval()
    whole = merged(model)
    assert (model(TOKENS) - plain(TOKENS)).abs().max() > 0.1
    assert (whole(TOKENS) - model(TOKENS)).abs().max() < 1e-5
    same = replace(plain.config, tie_embeddings=False).build(50, 16, 1)
    same.load_state_dict(whole.state_dict())
    assert (same.eval()(TOKENS) - model(TOKENS)).abs().max() < 1e-5
    assert all(p.requires_grad for p in whole.parameters())


def test_updates_have_the_given_ranks_and_keys_none(plain):
    whole = merged(disturbed(adapted(plain, Lora(rank=3, embedding_rank=5, alpha=8), seed=0)))
    assert torch.linalg.matrix_rank(whole.embedding.weight - plain.embedding.weight) == 5
    assert torch.equal(whole.unembedding.weight, plain.unembedding.weight)
    shape = plain.blocks[0].attention.shape
    update = whole.blocks[0].attention.qkv.weight - plain.blocks[0].attention.qkv.weight
    query, key, value = torch.split(update, [shape.d_model, shape.d_kv, shape.d_kv])
    assert torch.linalg.matrix_rank(query, rtol=1e-4) == 3
    assert torch.linalg.matrix_rank(value, rtol=1e-4) == 3
    assert (key == 0).all()


def test_adapters_follow_from_the_seed():
    plain, lora = STYLES["gpt2"].build(50, 16, 0), Lora(rank=3, embedding_rank=0, alpha=8)
    before = torch.random.get_rng_state()
    one, same, other = (dict(adapted(plain, lora, seed).named_parameters()) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    (name, *_) = [name for name in one if "lora_A" in name]
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])
    assert not any("embedding.lora" in name for name in one)


def test_a_mixer_without_queries_is_refused_by_its_name():
    other = DecoderConfig(d_model=32, position=PositionEncoding.none, mixer=RunningMeanConfig())
    with pytest.raises(InputError, match=r"rank=3: the mixer of model.mixer has no queries"):
        adapted(other.build(50, 16, 0), Lora(rank=3, embedding_rank=5, alpha=8), seed=0)
    model = DecoderConfig(d_model=32, position=PositionEncoding.position_only).build(50, 16, 0)
    refusal = r"rank=3: the mixer of model.position=position_only has no queries"
    with pytest.raises(InputError, match=refusal):
        adapted(model, Lora(rank=3, embedding_rank=5, alpha=8), seed=0)
    assert adapted(model, Lora(rank=0, embedding_rank=5, alpha=8), seed=0) is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rank": -1}, "rank=-1"),
        ({"alpha": 0}, "alpha=0"),
        ({"tuning": Tuning.lora, "rank": 0, "embedding_rank": 0}, "trains nothing"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        InheritedConfig(**values)
