"""The first optimiser step of a small decoder, as it was when these numbers were written down.

Whoever changes the engine of training, the models or the worlds on purpose writes them anew; none
of them follows from how modules and parameters are named or grouped.
"""

import pytest
import torch

from physlm.data.packing import pack
from physlm.models.architecture import DecoderConfig
from physlm.train.schedule import OptimConfig
from tests.conftest import tiny_biod_config
from tests.train.training import losses, train, weights

GOLDEN = {
    "loss": 2.623473,
    "loss_afterwards": 2.439239,
    "norm": 16.071867,
    "moved": 0.2458376,
    "logits": [0.0692365, 0.1831527, 1.5565861, 0.1496123],
}


def one_step(folder):
    corpus = tiny_biod_config(exposures=1).build(0)
    config = DecoderConfig(d_model=16, n_heads=2, init_std=0.2)
    model = config.build(corpus.vocabulary.size, 12, 0)
    before = weights(model).clone()
    optim = OptimConfig(learning_rate=3e-3, warmup_steps=1)
    (windows,) = [torch.from_numpy(block.tokens.copy()).long() for block in pack(corpus, 12)]
    targets = windows[:, 1:]
    model, done, curves = train(corpus, folder, model=model, optim=optim, batch_size=len(windows))
    assert done.steps == 1
    model = model.eval()
    with torch.no_grad():
        return {
            "loss": losses(curves)[0],
            "loss_afterwards": model.loss(windows[:, :-1], targets).item() / targets.numel(),
            "norm": before.norm().item(),
            "moved": (weights(model) - before).norm().item(),
            "logits": model(windows[:1, :4])[0, -1, :4].tolist(),
        }


def test_the_first_step_is_the_one_that_was_written_down(tmp_path):
    found = one_step(tmp_path)
    assert found == {
        name: pytest.approx(value, rel=1e-4, abs=1e-5) for name, value in GOLDEN.items()
    }
