"""Replicas are the runs they stand for: same numbers, own data, and none disturbs another."""

import math

import numpy as np
import pytest
import torch

from physlm.data.people.bios import BiosConfig
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError, InterruptedRunError
from physlm.models.architecture import DecoderConfig
from physlm.models.canon_config import CanonConfig
from physlm.models.components import MlpKind, PositionEncoding
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.fit import fit
from physlm.train.replicas import Replica, fit_replicas, saved_replicas
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision, TrainerConfig
from tests.conftest import tiny_biod_config

TRAINER = TrainerConfig(batch_size=4)

LEARNED_GATED = {
    "position": PositionEncoding.learned,
    "tie_embeddings": False,
    "mlp": MlpKind.gated_silu,
    "has_bias": False,
}


class Lines(list):
    """A logger that keeps what it is told."""

    def log_metrics(self, metrics, step):
        self.append((step, metrics))


def optim(rate=1e-2):
    return OptimConfig(learning_rate=rate, warmup_steps=3, weight_decay=0.5)


def replicas(seeds=(0, 1, 2), rates=None, world=None, n_epochs=4, **model):
    world = world or (lambda seed: tiny_biod_config(exposures=n_epochs).build(seed))
    values = {"d_model": 16, "n_heads": 2, "init_std": 0.1} | model
    made = []
    for i, seed in enumerate(seeds):
        corpus = world(seed)
        built = DecoderConfig(**values).build(corpus.vocabulary.size, 12, seed)
        made.append(
            Replica(
                run_id=f"run{i}",
                model=built,
                batches=Batches(corpus, 12, 4, steps_per_chunk=5),
                optim=optim((rates or [1e-2] * len(seeds))[i]),
                loggers=[Lines()],
            )
        )
    return made


def train(made, tmp_path, trainer=TRAINER, seconds=1e9):
    return fit_replicas(
        made,
        trainer=trainer,
        device="cpu",
        attention_across_documents=True,
        checkpoint=tmp_path / "last.ckpt",
        checkpoint_seconds=seconds,
    )


def alone(replica, tmp_path, trainer=TRAINER):
    logger_free = RuntimeConfig(progress_bar=False, compile=False)
    return fit(
        replica.model,
        replica.batches,
        optim=replica.optim,
        trainer=trainer,
        runtime=logger_free,
        device=logger_free.resolved_device(),
        is_compiled=False,
        attention_across_documents=True,
        directory=RunDirectory(tmp_path / replica.run_id),
        loggers=[],
    )


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_replicas_train_in_half_precision_too(tmp_path):
    half = TrainerConfig(batch_size=4, precision=Precision.bf16)
    losses = [
        [made.loggers[0][-1][1]["train/loss_nats"] for made in group]
        for name, trainer in (("half", half), ("full", TRAINER))
        for group in [replicas(n_epochs=1)]
        if train(group, tmp_path / name, trainer)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    "changes",
    [
        LEARNED_GATED,
        {"n_experts": 4, "n_active_experts": 2, "n_kv_heads": 1},
        *(
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {},
                {"position": PositionEncoding.learned, "tie_embeddings": False},
                {"n_kv_heads": 1},
                {"mlp": MlpKind.gated_silu, "has_bias": False},
                {"n_experts": 4, "n_active_experts": 2},
                {"canon": CanonConfig(), "z_loss": 0.1, "has_qk_norm": True},
                {"canon": CanonConfig(is_frozen=True), "position": PositionEncoding.alibi},
            )
        ),
    ],
)
def test_each_replica_ends_as_the_run_alone_does(changes, tmp_path):
    rates = [1e-2, 3e-3, 1e-2]
    together = train(replicas(rates=rates, **changes), tmp_path)
    for mine, replica in zip(together, replicas(rates=rates, **changes), strict=True):
        theirs = alone(replica, tmp_path)
        torch.testing.assert_close(weights(mine.model), weights(theirs.model), rtol=2e-3, atol=1e-4)
        assert mine.progress.steps == theirs.progress.steps
        assert mine.progress.tokens == theirs.progress.tokens
        assert mine.progress.position == theirs.progress.position
    assert not torch.allclose(weights(together[0].model), weights(together[2].model), atol=1e-2)


@pytest.mark.slow
def test_without_clipping_too(tmp_path):
    trainer = TrainerConfig(batch_size=4, gradient_clip=None)
    together = train(replicas(seeds=(0, 1)), tmp_path, trainer)
    for mine, replica in zip(together, replicas(seeds=(0, 1)), strict=True):
        theirs = alone(replica, tmp_path, trainer)
        torch.testing.assert_close(weights(mine.model), weights(theirs.model), rtol=2e-3, atol=1e-4)


@pytest.mark.slow
def test_worlds_of_other_lengths_end_at_their_own_steps(tmp_path):
    def world(seed):
        config = BiosConfig(
            n_people=6 + 3 * seed, exposures=2, tokenizer=TokenizerName.compact, pool_size=5
        )
        return config.build(seed)

    made = replicas(world=world)
    n_steps = [done.progress.steps for done in train(made, tmp_path)]
    assert len(set(n_steps)) == 3
    for mine, replica in zip(made, replicas(world=world), strict=True):
        theirs = alone(replica, tmp_path)
        assert theirs.progress.steps in n_steps
        torch.testing.assert_close(weights(mine.model), weights(theirs.model), rtol=2e-3, atol=1e-4)


def test_a_replica_that_diverges_leaves_the_others_as_they_would_be(tmp_path):
    with_bad = train(replicas(rates=[1e-2, 1e30, 1e-2]), tmp_path)
    without = train(replicas(seeds=(0, 2)), tmp_path)
    assert [done.diverged_at is None for done in with_bad] == [True, False, True]
    for mine, theirs in zip((with_bad[0], with_bad[2]), without, strict=True):
        torch.testing.assert_close(weights(mine.model), weights(theirs.model), rtol=1e-4, atol=1e-6)
    assert with_bad[1].progress.steps < with_bad[0].progress.steps
    assert with_bad[1].diverged_at >= with_bad[1].progress.steps


def test_an_interrupted_group_goes_on_to_the_same_end(tmp_path, monkeypatch):
    whole = train(replicas(), tmp_path)
    curves = replicas()
    made = replicas()
    calls = []

    def stop_at_third(self, row):
        take(self, row)
        calls.append(row)
        if len(calls) == 3:
            stop.was_requested = True

    import physlm.train.replicas as module

    take, run, stop = module._Training._take, module._Training.run, module.StopRequests()
    monkeypatch.setattr(module._Training, "_take", stop_at_third)
    monkeypatch.setattr(module._Training, "run", lambda self, _: run(self, stop))
    with pytest.raises(InterruptedRunError, match="run the same command to resume"):
        train(made, tmp_path)
    monkeypatch.undo()
    left = tmp_path / ".last.ckpt.123.tmp"  # of a killed process
    left.write_text("")
    assert saved_replicas(tmp_path / "last.ckpt") == {"run0": 15, "run1": 15, "run2": 15}
    assert not left.exists()
    resumed = train(curves, tmp_path)
    for mine, theirs in zip(resumed, whole, strict=True):
        assert torch.equal(weights(mine.model), weights(theirs.model))
        assert mine.progress.steps == theirs.progress.steps
    assert curves[0].loggers[0][0][0] == 20


def test_a_checkpoint_of_other_runs_is_refused(tmp_path):
    train(replicas(seeds=(0, 1)), tmp_path, seconds=0)
    with pytest.raises(InputError, match="belongs to other runs; delete it"):
        train(replicas(seeds=(0,)), tmp_path)


def test_curves_are_each_replicas_own(tmp_path):
    made = replicas(rates=[1e-2, 1e-3, 1e-2])
    train(made, tmp_path)
    rates = [replica.loggers[0][-1][1]["train/learning_rate"] for replica in made]
    assert rates[0] == pytest.approx(10 * rates[1])
    losses = [[row["train/loss_nats"] for _, row in replica.loggers[0]] for replica in made]
    assert np.ptp([own[0] for own in losses]) > 0
    assert all(own[-1] < own[0] for own in losses)
    assert made[0].loggers[0][-1][1]["train/exposures"] == 4
    assert not any(math.isnan(loss) for own in losses for loss in own)
