"""Ablation of layers, one at a time."""

import numpy as np
import pytest
import torch

from physlm.analysis.layer_ablation import LayerAblationConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.transformer import without_layer


@pytest.fixture(scope="module")
def world():
    return BiosConfig(n_people=10, include_question_vocabulary=True).build(0)


def model_of(world, n_layers=3):
    config = DecoderConfig(n_layers=n_layers, n_heads=2, d_model=16, init_std=0.3)
    return config.build(world.vocabulary.size, 128, 0).eval()


def test_an_ablated_layer_adds_nothing_to_the_residual_stream(world):
    """The same as a layer whose output projections are zero; the model itself stays as it is."""
    model = model_of(world)
    tokens = torch.arange(20)[None]
    before = model.hidden_states(tokens)
    for layer in range(3):
        silent = model_of(world)
        for name, parameter in silent.blocks[layer].named_parameters():
            if name.startswith(("attention.out", "mlp.down")):
                torch.nn.init.zeros_(parameter)
        found = without_layer(model, layer).hidden_states(tokens)
        torch.testing.assert_close(found, silent.hidden_states(tokens))
        assert not torch.allclose(found, before)
    torch.testing.assert_close(model.hidden_states(tokens), before)


def test_an_ablated_model_decodes_as_it_reads(world):
    shorter = without_layer(model_of(world), 1)
    sampling = Sampling(max_new_tokens=5, eos=0, temperature=0.0, batch_size=1, is_compiled=False)
    prompt = np.arange(4, dtype=np.int32)
    written = generate(shorter, [prompt], sampling, seed=0).tokens[0]
    tokens = torch.tensor([*prompt, *written])[None]
    states = shorter.hidden_states(tokens)
    assert shorter.unembedding(states)[0, 3:-1].argmax(-1).tolist() == list(written)


def test_every_layer_is_removed_and_measured(world):
    asked = QuestionsConfig().follow(world, 0)
    scorer, model = LayerAblationConfig(), model_of(world, 2)
    scorer.check(model, asked)
    metrics = by_text(scorer.measure(model, asked).metrics)
    stored = "layer_ablation/recall/accuracy{{layer={},split=train}}"
    answered = "layer_ablation/qa/exact_match{{layer={},split={}}}"
    assert set(metrics) == {
        *(stored.format(layer) for layer in (1, 2)),
        *(
            answered.format(layer, split)
            for layer in (1, 2)
            for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE)
        ),
    }
    only_bio = by_text(scorer.measure(model, world).metrics)
    assert set(only_bio) == {stored.format(layer) for layer in (1, 2)}


def test_a_model_of_one_layer_is_refused(world):
    with pytest.raises(InputError, match="needs at least 2 layers, and the model has 1"):
        LayerAblationConfig().check(model_of(world, 1), world)
