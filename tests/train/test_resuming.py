"""A run that was stopped anywhere ends as if it had not been; what is damaged is refused."""

import json
import os
import signal
import zipfile

import pytest
import torch

from physlm.errors import InputError, InterruptedRunError
from physlm.models.architecture import DecoderConfig
from physlm.models.decoder import Decoder
from physlm.record import Origin
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.fit import saved_steps
from tests.train.training import losses, stop_after, train, train_whole, weights


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

    settings = {"checkpoint_seconds": 0.0, "steps_per_chunk": 1, "n_evaluations": 16}
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
    with pytest.raises(InputError, match=r"last.ckpt is damaged or not a checkpoint of physlm"):
        saved_steps(path)


def test_a_checkpoint_of_another_run_or_corpus_is_refused(biod, tmp_path):
    """One that says nothing of its origin, of an earlier version, is taken as it is."""
    path = tmp_path / "last.ckpt"
    train(biod, tmp_path, runtime={"checkpoint_seconds": 0.0}, origin=Origin("a", "world"))
    assert saved_steps(path, Origin("a", "world")) == saved_steps(path) > 0
    for other in (Origin("b", "world"), Origin("a", "words")):
        with pytest.raises(
            InputError, match=r"last.ckpt is of another run \((run_id=a|corpus=wor)"
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


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("echo owned",)

    path = tmp_path / "last.ckpt"
    torch.save({"progress": {"steps": 1}, "evil": Evil()}, path)
    with pytest.raises(InputError):
        saved_steps(path)


def test_a_resumed_run_is_not_measured_twice_at_one_share(biod, tmp_path):
    model = DecoderConfig(d_model=16, init_std=0.2).build(biod.vocabulary.size, 12, 0)
    calls = []

    def measure():
        calls.append(len(calls))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"score": 0.0}

    settings = {"n_evaluations": 4, "steps_per_chunk": 1}
    with pytest.raises(InterruptedRunError):
        train(biod, tmp_path, model=model, runtime=settings, measure=measure)
    _, _, curves = train(biod, tmp_path, runtime=settings, measure=measure)
    assert len(calls) == 4
    assert len([row for row in curves if "curve/score" in row]) == 4


def test_a_compressed_checkpoint_is_refused_unread(biod, tmp_path):
    """It may unpack to any size."""
    train(biod, tmp_path, runtime={"checkpoint_seconds": 0.0})
    path = tmp_path / "last.ckpt"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    with pytest.raises(InputError, match=r"last.ckpt is damaged"):
        saved_steps(path)


@pytest.mark.parametrize("part", ["state_dict", "optimizer_states", "loops"])
def test_a_checkpoint_that_does_not_fit_is_refused_before_the_first_step(biod, tmp_path, part):
    train(biod, tmp_path, runtime={"checkpoint_seconds": 0.0})
    path = tmp_path / "last.ckpt"
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {part: {"a": [1]}}, path)
    with pytest.raises(InputError, match=r"last.ckpt does not fit this run"):
        train(biod, tmp_path)
