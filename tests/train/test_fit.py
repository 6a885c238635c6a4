import dataclasses
import itertools
import json
import math
import os
import signal

import pytest
import torch

from physlm.data.packing import IGNORED, pack
from physlm.errors import InputError, InterruptedRunError
from physlm.models.architecture import DecoderConfig
from physlm.models.decoder import Decoder
from physlm.record import Origin
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.batches import Batches
from physlm.train.fit import fit, saved_steps
from physlm.train.logger import LoggerConfig
from physlm.train.processor import steps_per_chunk
from physlm.train.runtime import Device, RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import build_loggers
from physlm.train.trainer import Precision, TrainerConfig

OPTIM = OptimConfig(learning_rate=3e-3, warmup_steps=4)


def train_whole(
    corpus,
    folder,
    *,
    model=None,
    runtime=None,
    optim=OPTIM,
    masked=False,
    is_compiled=False,
    is_profiled=False,
    measure=dict,
    origin=None,
    **trainer,
):
    """Train a tiny model."""
    directory = RunDirectory(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = model or DecoderConfig(d_model=16, init_std=0.2).build(corpus.vocabulary.size, 12, 0)
    settings = {"device": Device.cpu, "progress_bar": False, "steps_per_chunk": 3}
    trainer_config = TrainerConfig(**({"batch_size": 6} | trainer))
    first_step = saved_steps(directory.checkpoint)
    loggers = build_loggers(
        LoggerConfig(),
        directory,
        run_id="test",
        name="test",
        first_step=first_step,
        hyperparameters={},
    )
    runtime = RuntimeConfig(**(settings | (runtime or {})))
    batches = Batches(corpus, 12, trainer_config.batch_size, runtime.steps_per_chunk)
    return fit(
        model,
        batches,
        optim=optim,
        trainer=trainer_config,
        runtime=runtime,
        is_compiled=is_compiled,
        attention_across_documents=not masked,
        directory=directory,
        loggers=loggers,
        is_profiled=is_profiled,
        measure=measure,
        origin=origin,
    )


def train(corpus, folder, **changes):
    """The trained model, what was done, and the learning curve."""
    trained = train_whole(corpus, folder, **changes)
    return trained.model, trained.progress, read_curves(RunDirectory(folder).metrics)


def stop_after(n):
    """Batches that send the process SIGTERM before their chunk ``n``."""
    chunks = Batches.__iter__

    def interrupted(self):
        for i, chunk in enumerate(chunks(self)):
            if i == n:
                os.kill(os.getpid(), signal.SIGTERM)
            yield chunk

    return interrupted


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def losses(curves):
    return [row["train/loss_nats"] for row in curves]


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


@pytest.fixture
def uncompiled(monkeypatch):
    """A whole step as it is written; the compiler does not see through the tests' shape checks."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("trainer", [{}, {"n_accumulate": 3}, {"gradient_clip": None}], ids=str)
def test_a_whole_step_is_the_managed_one(biod, tmp_path, trainer):
    managed, done, curves = train(biod, tmp_path / "managed", **trainer)
    whole, done_whole, again = train(biod, tmp_path / "whole", is_compiled=True, **trainer)
    torch.testing.assert_close(weights(whole), weights(managed), atol=1e-5, rtol=1e-4)
    assert losses(again) == pytest.approx(losses(curves), rel=1e-5)
    assert (done_whole.steps, done_whole.position) == (done.steps, done.position)


@pytest.mark.usefixtures("uncompiled")
def test_whole_and_managed_steps_go_on_from_each_others_checkpoints(biod, tmp_path, monkeypatch):
    managed, *_ = train(biod, tmp_path / "managed")
    with monkeypatch.context() as patched:
        patched.setattr(Batches, "__iter__", stop_after(2))
        with pytest.raises(InterruptedRunError):
            train(biod, tmp_path / "parts", is_compiled=True)
    mixed, *_ = train(biod, tmp_path / "parts")
    torch.testing.assert_close(weights(mixed), weights(managed), atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("uncompiled")
def test_an_interrupted_run_of_whole_steps_ends_bit_for_bit(biod, tmp_path, monkeypatch):
    whole, *_ = train(biod, tmp_path / "whole", is_compiled=True)
    with monkeypatch.context() as patched:
        patched.setattr(Batches, "__iter__", stop_after(2))
        with pytest.raises(InterruptedRunError):
            train(biod, tmp_path / "parts", is_compiled=True)
    assert saved_steps(tmp_path / "parts" / "last.ckpt") > 0
    parts, *_ = train(biod, tmp_path / "parts", is_compiled=True)
    assert torch.equal(weights(parts), weights(whole))


def test_waiting_for_data_is_measured(biod, tmp_path):
    _, done, _ = train(biod, tmp_path)
    assert 0 < done.waiting_share < 1


def test_exposures_and_tokens_are_counted_exactly(biod, tmp_path):
    _, done, curves = train(biod, tmp_path)
    assert done.position.epoch == 4
    assert done.tokens == sum(len(biod.epoch(e, 0, 24).tokens) for e in range(4))
    assert curves[-1]["train/exposures"] == 4
    assert curves[-1]["step"] == done.steps


def test_a_model_learns_a_small_world_by_heart(tmp_path):
    from tests.conftest import tiny_biod_config

    corpus = tiny_biod_config(n_people=6, exposures=300, seq_len=12).build(0)
    model = DecoderConfig(d_model=32, init_std=0.2).build(corpus.vocabulary.size, 12, 0)
    _, _, curves = train(corpus, tmp_path, model=model)
    tokens_per_document = 12
    floor = math.log(6) / tokens_per_document  # only which person comes next is unknown
    assert losses(curves)[-1] < 2 * floor < losses(curves)[0] / 3


@pytest.mark.parametrize("n_accumulate", [2, 3])
def test_accumulation_is_the_large_batch(biod, tmp_path, n_accumulate):
    whole, _, curves = train(biod, tmp_path / "whole")
    parts, _, again = train(biod, tmp_path / "parts", n_accumulate=n_accumulate)
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=1e-4)
    assert losses(again) == pytest.approx(losses(curves), rel=1e-5)


def test_chunking_changes_no_bit(biod, tmp_path):
    a, *_ = train(biod, tmp_path / "a")
    b, *_ = train(biod, tmp_path / "b", runtime={"steps_per_chunk": 7})
    assert torch.equal(weights(a), weights(b))


def test_an_interrupted_run_ends_bit_for_bit_like_an_uninterrupted_one(biod, tmp_path, monkeypatch):
    whole, done, curves = train(biod, tmp_path / "whole")

    for n in (2, 1, 3):
        before = saved_steps(tmp_path / "parts" / "last.ckpt")
        with monkeypatch.context() as patched:
            patched.setattr(Batches, "__iter__", stop_after(n))
            with pytest.raises(InterruptedRunError, match="same command"):
                train(biod, tmp_path / "parts", runtime={"steps_per_chunk": 1})
        assert saved_steps(tmp_path / "parts" / "last.ckpt") > before
    parts, done_again, curves_again = train(biod, tmp_path / "parts")
    assert torch.equal(weights(parts), weights(whole))
    assert (done_again.steps, done_again.tokens, done_again.position) == (
        done.steps,
        done.tokens,
        done.position,
    )
    assert losses(curves_again)[-1] == losses(curves)[-1]


def test_rows_written_after_the_last_checkpoint_are_not_written_twice(biod, tmp_path):
    _, _, curves = train(biod, tmp_path / "whole")
    directory = RunDirectory(tmp_path / "killed")
    directory.path.mkdir()
    directory.metrics.write_text("".join(json.dumps(r) + "\n" for r in curves[:3]) + '{"step": 1')
    _, _, again = train(biod, tmp_path / "killed")
    assert [row["step"] for row in again] == [row["step"] for row in curves]


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


def test_spoilt_weights_never_replace_the_last_good_checkpoint(biod, tmp_path):
    class Spoilt(Decoder):
        """Its fourth backward pass gives gradients that are no numbers, its loss does not."""

        n_calls = 0

        def hidden_states(self, tokens, segments=None):
            self.n_calls += 1
            hidden = super().hidden_states(tokens, segments)
            spoil = (self.embedding.weight.sum() * 0).sqrt() * 0
            return hidden + spoil if self.n_calls == 4 else hidden

    config = DecoderConfig(d_model=16, init_std=0.2)
    model = Spoilt(config, biod.vocabulary.size, 12, seed=0)
    n_measured = []

    def measure():
        assert all(weight.isfinite().all() for weight in model.parameters())
        n_measured.append(1)
        return {}

    settings = {"checkpoint_seconds": 0.0, "steps_per_chunk": 1, "n_measurements": 16}
    trained = train_whole(
        biod, tmp_path, model=model, gradient_clip=None, runtime=settings, measure=measure
    )
    assert trained.diverged_at == 4
    assert len(n_measured) == 3
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["progress"]["steps"] == 3
    assert all(weight.isfinite().all() for weight in saved["state_dict"].values())


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda _: b"",
        lambda _: b"junk",
        lambda b: b[: len(b) // 2] + bytes([b[len(b) // 2] ^ 16]) + b[len(b) // 2 + 1 :],
    ],
)
def test_a_damaged_checkpoint_is_refused_before_training(biod, tmp_path, damage):
    train(biod, tmp_path, runtime={"checkpoint_seconds": 0.0})
    path = tmp_path / "last.ckpt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"last.ckpt is truncated or no checkpoint of ours"):
        saved_steps(path)


def test_a_checkpoint_of_another_run_or_corpus_is_refused(biod, tmp_path):
    """One that says nothing of its origin, of an earlier version, is taken as it is."""
    path = tmp_path / "last.ckpt"
    train(biod, tmp_path, runtime={"checkpoint_seconds": 0.0}, origin=Origin("a", "world"))
    assert saved_steps(path, Origin("a", "world")) == saved_steps(path) > 0
    for other in (Origin("b", "world"), Origin("a", "words")):
        with pytest.raises(
            InputError, match=r"last.ckpt is of another run \((run_id a|corpus wor)"
        ):
            saved_steps(path, other)
    saved = torch.load(path, weights_only=True)
    del saved["origin"]
    torch.save(saved, path)
    assert saved_steps(path, Origin("b", "world")) > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_while_a_checkpoint_is_written_is_an_interruption(
    biod, tmp_path, monkeypatch, number
):
    """Lightning's own answer is to leave with exit status 0."""
    whole, *_ = train(biod, tmp_path / "whole")
    save, calls = torch.save, []

    def interrupted(*arguments, **options):
        calls.append(len(calls))
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        save(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", interrupted)
        with pytest.raises(InterruptedRunError, match="same command"):
            train(
                biod, tmp_path / "parts", runtime={"checkpoint_seconds": 0.0, "steps_per_chunk": 1}
            )
    assert saved_steps(tmp_path / "parts" / "last.ckpt") == 3
    parts, *_ = train(biod, tmp_path / "parts")
    assert torch.equal(weights(parts), weights(whole))


def test_a_request_in_the_last_chunk_is_an_interruption_too(biod, tmp_path, monkeypatch):
    whole, done, _ = train(biod, tmp_path / "whole", runtime={"steps_per_chunk": 1})
    with monkeypatch.context() as patched:
        patched.setattr(Batches, "__iter__", stop_after(done.steps - 1))
        with pytest.raises(InterruptedRunError, match="same command"):
            train(biod, tmp_path / "parts", runtime={"steps_per_chunk": 1})
    parts, done_again, _ = train(biod, tmp_path / "parts")
    assert done_again.steps == done.steps
    assert torch.equal(weights(parts), weights(whole))


def test_what_shows_a_run_never_stops_it(biod, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("physlm.train.callbacks.Progress.update", fail)
    monkeypatch.setattr("physlm.train.profile.Profile._report", fail)
    settings = {"progress_bar": True, "n_measurements": 2, "steps_per_chunk": 4}
    _, done, _ = train(biod, tmp_path, runtime=settings, is_profiled=True, measure=fail)
    assert done.position.epoch == 4
    told = capsys.readouterr().err
    for what in ("the progress bar", "the profile", "a measurement for the learning curve"):
        assert f"note: {what}" in told
    assert all("No space left on device" in line for line in told.splitlines())


def test_more_measurements_than_chunks_are_refused():
    with pytest.raises(
        ValueError, match="n_measurements=20, but training has about 80 steps in 10"
    ):
        RuntimeConfig(n_measurements=20, steps_per_chunk=8).require_measurements(80)
    RuntimeConfig(n_measurements=20, steps_per_chunk=4).require_measurements(80)
    assert steps_per_chunk("cpu", 1000, 80 * 64.0, 64, n_looks=80) == 1


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("echo owned",)

    path = tmp_path / "last.ckpt"
    torch.save({"progress": {"steps": 1}, "evil": Evil()}, path)
    with pytest.raises(InputError):
        saved_steps(path)


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
        (TrainerConfig, {"batch_size": 5, "n_accumulate": 2}),
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

    settings = {"n_measurements": 4, "steps_per_chunk": 1}
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


def test_a_resumed_run_is_not_measured_twice_at_one_share(biod, tmp_path):
    model = DecoderConfig(d_model=16, init_std=0.2).build(biod.vocabulary.size, 12, 0)
    calls = []

    def measure():
        calls.append(len(calls))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"score": 0.0}

    settings = {"n_measurements": 4, "steps_per_chunk": 1}
    with pytest.raises(InterruptedRunError):
        train(biod, tmp_path, model=model, runtime=settings, measure=measure)
    _, _, curves = train(biod, tmp_path, runtime=settings, measure=measure)
    assert len(calls) == 4
    assert len([row for row in curves if "curve/score" in row]) == 4


def test_curves_of_several_devices_are_refused():
    with pytest.raises(ValueError, match="n_measurements=3 with several devices"):
        RuntimeConfig(n_measurements=3, n_devices=2)
    with pytest.raises(ValueError, match="n_measurements=-1; must be at least 0"):
        RuntimeConfig(n_measurements=-1)
