"""Training against the plain loop, and what is counted, measured and refused on the way."""

import dataclasses
import functools
import io
import itertools
import math
import re

import pytest
import torch
from rich.console import Console

from physlm.data.packing import pack
from physlm.data.windows import IGNORED
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.train import callbacks
from physlm.train.cpu import steps_per_chunk
from physlm.train.fit import saved_steps
from physlm.train.runtime import Device, RuntimeConfig
from physlm.train.trainer import Precision, TrainerConfig
from tests.train.training import OPTIM, losses, train, train_whole, weights


def by_hand(corpus, n_steps):
    """The same training as a plain loop over all windows, written again."""
    model = DecoderConfig(d_model=16, init_std=0.2).build(corpus.vocabulary.size, 12, 0)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = OPTIM.build(matrices, others, is_fused=True)
    windows = torch.cat([torch.from_numpy(b.tokens.copy()) for b in pack(corpus, 12)]).long()
    n_documents = 0
    ends = [end for block in pack(corpus, 12) for end in block.ends.tolist()]
    for step in range(n_steps):
        batch = windows[step * 6 : (step + 1) * 6]
        targets = batch[:, 1:]
        logits = model(batch[:, :-1].clamp(min=0))
        is_target = targets != IGNORED
        loss = torch.nn.functional.cross_entropy(logits[is_target], targets[is_target])
        for group in optimizer.param_groups:
            group["lr"] = OPTIM.rate(step, n_documents / (corpus.n_epochs * corpus.n_documents))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        epoch, document, _ = ends[min((step + 1) * 6, len(ends)) - 1]
        n_documents = epoch * corpus.n_documents + document
    return model


def test_training_is_the_plain_loop(biod, tmp_path):
    model, done, _ = train(biod, tmp_path)
    torch.testing.assert_close(weights(model), weights(by_hand(biod, done.steps)))


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    "trainer", [{}, {"gradient_accumulation_steps": 3}, {"gradient_clip": None}], ids=str
)
def test_a_whole_step_is_the_managed_one(biod, tmp_path, trainer):
    managed, done, curves = train(biod, tmp_path / "managed", **trainer)
    whole, done_whole, again = train(biod, tmp_path / "whole", is_compiled=True, **trainer)
    torch.testing.assert_close(weights(whole), weights(managed), atol=1e-5, rtol=1e-4)
    assert losses(again) == pytest.approx(losses(curves), rel=1e-5)
    assert (done_whole.steps, done_whole.position) == (done.steps, done.position)


def test_waiting_for_data_is_measured(biod, tmp_path):
    _, done, _ = train(biod, tmp_path)
    assert 0 < done.data_wait_fraction < 1


def test_exposures_and_tokens_are_counted_exactly(biod, tmp_path):
    _, done, curves = train(biod, tmp_path)
    assert done.position.epoch == 4
    assert done.tokens == sum(len(biod.epoch(e, 0, 24).tokens) for e in range(4))
    assert curves[-1]["train/exposures"] == 4
    assert curves[-1]["step"] == done.steps


def test_a_model_learns_a_small_world_by_heart(tmp_path):
    from tests.conftest import tiny_biod_config

    corpus = tiny_biod_config(n_people=6, exposures=200, seq_len=12).build(0)
    model = DecoderConfig(d_model=32, init_std=0.2).build(corpus.vocabulary.size, 12, 0)
    _, _, curves = train(corpus, tmp_path, model=model)
    tokens_per_document = 12
    floor = math.log(6) / tokens_per_document  # only which person comes next is unknown
    assert losses(curves)[-1] < 2 * floor < losses(curves)[0] / 3


@pytest.mark.parametrize("gradient_accumulation_steps", [2, 3])
def test_accumulation_is_the_large_batch(biod, tmp_path, gradient_accumulation_steps):
    whole, _, curves = train(biod, tmp_path / "whole")
    parts, _, again = train(
        biod, tmp_path / "parts", gradient_accumulation_steps=gradient_accumulation_steps
    )
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=1e-4)
    assert losses(again) == pytest.approx(losses(curves), rel=1e-5)


def test_chunking_changes_no_bit(biod, tmp_path):
    a, *_ = train(biod, tmp_path / "a")
    b, *_ = train(biod, tmp_path / "b", runtime={"steps_per_chunk": 7})
    assert torch.equal(weights(a), weights(b))


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(biod, tmp_path):
    model = DecoderConfig(d_model=16).build(biod.vocabulary.size, 12, 0)
    bad = dataclasses.replace(OPTIM, learning_rate=1e30, warmup_steps=0)
    trained = train_whole(
        biod,
        tmp_path,
        model=model,
        optim=bad,
        gradient_clip=None,
        runtime={"checkpoint_seconds": 0.0, "steps_per_chunk": 1},
    )
    assert 0 < trained.diverged_at < 16
    assert trained.progress.steps == trained.diverged_at
    assert saved_steps(tmp_path / "last.ckpt") == trained.diverged_at


def test_what_shows_a_run_never_stops_it(biod, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("physlm.train.callbacks.Progress.update", fail)
    monkeypatch.setattr("physlm.train.profile.Profile._report", fail)
    settings = {"progress_bar": True, "n_evaluations": 2, "steps_per_chunk": 4}
    _, done, _ = train(biod, tmp_path, runtime=settings, is_profiled=True, measure=fail)
    assert done.position.epoch == 4
    told = capsys.readouterr().err
    for what in ("the progress bar", "the profile", "a measurement for the learning curve"):
        assert f"note: {what}" in told
    assert all("No space left on device" in line for line in told.splitlines())


def test_more_measurements_than_chunks_are_refused():
    with pytest.raises(ValueError, match="n_evaluations=20, but training has about 80 steps in 10"):
        RuntimeConfig(n_evaluations=20, steps_per_chunk=8).require_measurements(80)
    RuntimeConfig(n_evaluations=20, steps_per_chunk=4).require_measurements(80)
    assert steps_per_chunk("cpu", 1000, 80 * 64.0, 64, n_evaluations=80) == 1


def test_bf16_learns_the_same_to_its_tolerance(biod, tmp_path):
    _, _, full = train(biod, tmp_path / "full")
    _, _, half = train(biod, tmp_path / "half", precision=Precision.bf16)
    assert losses(half) == pytest.approx(losses(full), rel=0.02)
    assert losses(half) != losses(full)


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(InputError, match="precision=fp16 needs a GPU"):
        TrainerConfig(precision=Precision.fp16).require("cpu")


def test_masking_other_documents_gives_other_gradients_only_where_windows_hold_several(
    biod, tmp_path
):
    """Windows of 12 tokens hold one document of 12 here, so that nothing is masked."""
    same, *_ = train(biod, tmp_path / "a")
    masked, *_ = train(biod, tmp_path / "b", masked=True)
    torch.testing.assert_close(weights(same), weights(masked), atol=1e-4, rtol=1e-3)


def test_gpu_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="this machine has 0 GPUs"):
        RuntimeConfig(device=Device.cuda).resolved_device()


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (TrainerConfig, {"batch_size": 0}),
        (TrainerConfig, {"gradient_clip": 0.0}),
        (TrainerConfig, {"batch_size": 5, "gradient_accumulation_steps": 2}),
        (RuntimeConfig, {"n_threads": 0}),
        (RuntimeConfig, {"steps_per_chunk": 0}),
        (RuntimeConfig, {"checkpoint_seconds": -1.0}),
        (RuntimeConfig, {"checkpoint_seconds": math.nan}),
    ],
)
def test_values_out_of_range_are_refused(config, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        config(**changes)


def test_a_model_is_measured_at_equal_shares_of_training(biod, tmp_path):
    seen = []
    model = DecoderConfig(d_model=16, init_std=0.2).build(biod.vocabulary.size, 12, 0)

    def measure():
        seen.append(model.embedding.weight.clone())
        return {"score": float(len(seen))}

    settings = {"n_evaluations": 4, "steps_per_chunk": 1}
    _, progress, curves = train(
        biod, tmp_path / "a", model=model, runtime=settings, measure=measure
    )
    rows = [row for row in curves if "curve/score" in row]
    assert [row["curve/score"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["step"] == progress.steps
    assert rows[-1]["curve/tokens"] == progress.tokens
    shares = [row["step"] / progress.steps for row in rows]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1], abs=0.07)
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(seen))
    _, _, plain = train(biod, tmp_path / "b", runtime={"steps_per_chunk": 1})
    losses = [
        [row["train/loss_nats"] for row in c if "train/loss_nats" in row] for c in (curves, plain)
    ]
    assert losses[0] == losses[1]


def test_curves_of_several_devices_are_refused():
    with pytest.raises(ValueError, match="n_evaluations=3 with several devices"):
        RuntimeConfig(n_evaluations=3, n_devices=2)
    with pytest.raises(ValueError, match="n_evaluations=-1; must be at least 0"):
        RuntimeConfig(n_evaluations=-1)


def test_progress_bar_shows_exposures_loss_and_speed_on_a_terminal(biod, tmp_path, monkeypatch):
    shown = io.StringIO()
    terminal = functools.partial(Console, file=shown, force_terminal=True, width=100)
    monkeypatch.setattr(callbacks, "Console", lambda **_: terminal())
    train(biod, tmp_path, runtime={"progress_bar": True})
    assert re.search(r"\d/\d+ exposures  loss \d\.\d{4}  [\d,]+ tokens/s", shown.getvalue())
