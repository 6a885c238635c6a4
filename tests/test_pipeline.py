"""What the pipeline does between training and its record."""

import pytest
import torch

from physlm.config import RunConfig, composed, register
from physlm.data.cfg.corpus import CfgConfig
from physlm.errors import InputError
from physlm.eval.cfg.accuracy import CfgAccuracyConfig
from physlm.eval.cfg.distribution import CfgDistributionConfig
from physlm.measuring import curve
from physlm.models.architecture import DecoderConfig
from physlm.preparation import prepare
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig


def test_measuring_leaves_the_model_that_is_trained_alone():
    """Compiled training keeps a model's tables by address, and long strings need longer ones."""
    config = RunConfig(
        data=CfgConfig(grammar="cfg3b", root=16, n_strings=50, seq_len=16),
        model=DecoderConfig(d_model=16, n_layers=1),
        optim=OptimConfig(warmup_steps=0),
        eval={
            "accuracy": CfgAccuracyConfig(n_curve_samples=4, prefixes=[0]),
            "distribution": CfgDistributionConfig(n_curve_strings=4),
        },
        runtime=RuntimeConfig(compile=False, n_threads=1),
    )
    prepared = prepare(config)
    tables = dict(prepared.model.named_buffers())
    weights = {name: tensor.clone() for name, tensor in prepared.model.named_parameters()}
    metrics = curve(config.eval, prepared.model, prepared.corpus)
    assert set(metrics) == {
        "cfg/accuracy{prefix=0,split=test}",
        "cfg/kl_nats{split=test}",
        "cfg/excess_loss_nats{split=test}",
    }
    assert prepared.model.training
    for name, tensor in prepared.model.named_buffers():
        assert tensor is tables[name]
        assert len(tensor) == 16
    for name, tensor in prepared.model.named_parameters():
        assert torch.equal(tensor, weights[name])


@pytest.mark.parametrize(
    ("words", "are_others"),
    [
        ((), False),
        (("data.n_people=500",), True),
        (("init_from='+experiment=capacity_1000x seed=1'",), True),
        (
            (
                "stage=train",
                "data.exposures=3",
                "model.weight_bits=null",
                "data.n_people=500",
                "optim.warmup_steps=5",
            ),
            False,
        ),
    ],
)
def test_what_was_never_told_is_not_measured(words, are_others):
    register()
    config = composed(("+experiment=capacity_quantised", *words))
    if are_others:
        with pytest.raises(InputError, match="stage=measure needs the people of the run"):
            prepare(config)
    else:
        prepare(config)


MISCOMPILED = ["+canon=abcd", "trainer.precision=bf16", "data.attention_across_documents=false"]


def test_what_the_compiler_gets_wrong_is_not_compiled(monkeypatch):
    """Canon layers in bf16 that keep documents apart: gradients are NaN on CPUs."""
    monkeypatch.setattr(RuntimeConfig, "is_compiled", lambda *_: True)
    copying = ("data=copy", "eval=task_accuracy", "runtime.device=cpu", "optim.warmup_steps=10")
    assert not prepare(composed((*copying, *MISCOMPILED))).is_compiled
    for i in range(len(MISCOMPILED)):
        others = MISCOMPILED[:i] + MISCOMPILED[i + 1 :]
        assert prepare(composed((*copying, *others))).is_compiled
    with pytest.raises(InputError, match=r"runtime.compile=true on a CPU with trainer.precision"):
        prepare(composed((*copying, *MISCOMPILED, "runtime.compile=true")))
