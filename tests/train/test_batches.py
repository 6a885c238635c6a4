import dataclasses
import threading

import numpy as np
import pytest
import torch

from physlm.data.packing import pack
from physlm.data.windows import IGNORED, Position
from physlm.train.batches import Batches


def make(corpus, **changes):
    values = {"seq_len": 7, "batch_size": 6, "steps_per_chunk": 4}
    return Batches(corpus=corpus, **(values | changes))


def steps(chunks):
    return [step for chunk in chunks for step in chunk.windows]


def test_steps_hold_every_window_in_order_and_the_last_is_filled_up(biod):
    batched = torch.cat(steps(make(biod))).numpy()
    windows = np.concatenate([block.tokens for block in pack(biod, 7)])
    assert np.array_equal(batched[: len(windows)], windows)
    assert (batched[len(windows) :] == IGNORED).all()
    assert len(batched) % 6 == 0


def test_targets_are_counted_exactly(biod):
    n_targets = sum(sum(chunk.n_targets) for chunk in make(biod))
    assert n_targets == sum(len(biod.epoch(e, 0, 24).tokens) for e in range(4))


@pytest.mark.parametrize("steps_per_chunk", [1, 3, 1000])
def test_chunking_changes_nothing(biod, steps_per_chunk):
    reference, other = make(biod), make(biod, steps_per_chunk=steps_per_chunk)
    assert all(torch.equal(a, b) for a, b in zip(steps(reference), steps(other), strict=True))
    progress = [[p for chunk in b for p in chunk.progress] for b in (reference, other)]
    assert progress[0] == progress[1]


def test_training_goes_on_from_the_end_of_any_chunk(biod):
    batches = make(biod)
    chunks = list(batches)
    for i, chunk in enumerate(chunks):
        rest = list(batches.starting_at(Position.of(chunk.end)))
        assert len(rest) == len(chunks) - i - 1
        for again, before in zip(rest, chunks[i + 1 :], strict=True):
            assert torch.equal(again.windows, before.windows)
            assert again.progress == before.progress
            assert again.end == before.end


def test_ranks_share_every_batch_without_overlap(biod):
    whole = steps(make(biod))
    shares = [steps(make(biod, rank=rank, n_ranks=3)) for rank in range(3)]
    for step, parts in zip(whole, zip(*shares, strict=True), strict=True):
        together = torch.stack(parts, dim=1).flatten(0, 1)
        assert torch.equal(together, step)


def test_progress_runs_from_zero_to_one_and_ends_at_the_last_exposure(biod):
    batches = make(biod)
    chunks = list(batches)
    progress = [p for chunk in chunks for p in chunk.progress]
    assert progress[0] == 0
    assert progress == sorted(progress)
    assert chunks[-1].end == (4, 0, 0)
    assert batches.progress(Position.of(chunks[-1].end)) == 1


def test_errors_of_the_background_thread_are_raised_to_the_consumer(biod):
    class Broken:
        n_epochs, n_documents, vocabulary = 1, 3, biod.vocabulary

        def epoch(self, *_):
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        list(make(Broken()))


def test_leaving_early_ends_the_background_thread(biod):
    iterator = iter(make(dataclasses.replace(biod, n_epochs=10_000)))
    next(iterator)
    iterator.close()
    assert not [t for t in threading.enumerate() if t.name == "batches"]
