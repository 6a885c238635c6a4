"""Fresh documents without end, evaluation sets, and their windows."""

import json

import numpy as np
import pytest

from physlm.data.corpus import Corpus
from physlm.data.export import write_corpus
from physlm.data.packing import pack
from physlm.data.stored import read_corpus
from physlm.data.tasks.copy import CopyConfig
from physlm.data.tasks.depo import DepoConfig
from tests.data.tasks.documents import texts

SMALL = {"n_max": 6, "k_max": 2, "longest_name": 1, "n_symbols": 6, "seq_len": 50}


def corpus(seed=0, **values):
    return DepoConfig(**(SMALL | {"n_documents": 40} | values)).build(seed)


def test_a_document_is_a_function_of_seed_and_number_alone():
    one, two = corpus(exposures=2), corpus(n_documents=80)
    assert isinstance(one, Corpus)
    whole = two.epoch(0, 0, 80)
    parts = [one.epoch(e, a, a + 20) for e in (0, 1) for a in (0, 20)]
    assert np.array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))
    assert not np.array_equal(whole.tokens, corpus(1, n_documents=80).epoch(0, 0, 80).tokens)
    assert len({tuple(text) for text in texts(two.task, whole)}) == 80


def test_fingerprints_tell_task_seed_and_length():
    found = {
        c.fingerprint() for c in (corpus(), corpus(1), corpus(n_documents=41), corpus(k_max=3))
    }
    assert len(found) == 4
    assert corpus().fingerprint() == corpus(seq_len=60).fingerprint()


def test_evaluation_sets_are_none_of_the_training_documents_nor_of_each_other():
    world = corpus(n_documents=500)
    trained = {tuple(text) for text in texts(world.task, world.epoch(0, 0, 500))}
    first, second = world.task.evaluations
    measured = [
        {tuple(text) for text in texts(world.task, world.measured(e, 0, 100))}
        for e in (first, second)
    ]
    assert not measured[0] & trained
    assert not measured[0] & measured[1]
    assert np.array_equal(world.measured(first, 0, 9).tokens, world.measured(first, 0, 9).tokens)


@pytest.mark.parametrize("seq_len", [41, 50, 100, 130])
def test_evaluation_windows_are_training_windows_with_their_whole_answers(seq_len):
    world = corpus(seq_len=seq_len, n_max=6)
    evaluation = world.task.evaluations[1]
    windows = world.windows(evaluation, 100)
    assert 100 <= len(windows.rows) < 100 + 6 * 4
    documents = texts(world.task, world.measured(evaluation, 0, 400))
    words = [*world.task.words, *world.task.marks, "<|endoftext|>"]
    at, found = 0, []
    for row in windows.tokens:  # slowly: whole documents until the window is full
        held = []
        while len(held) < seq_len + 1:
            held += [(word, at) for word in documents[at]]
            at += 1
        held = held[: seq_len + 1]
        assert [words[token] for token in row] == [word for word, _ in held]
        names = [i for i, (word, _) in enumerate(held) if i and held[i - 1][0] == "<ans>"]
        found += [(i, i + 1, held[i][1]) for i in names]
    ours = zip(windows.firsts, windows.lasts, windows.documents, strict=True)
    assert [tuple(map(int, answer)) for answer in ours] == found


def test_a_cut_answer_is_not_measured():
    world = CopyConfig(n_copied=5, n_symbols=3, seq_len=19).build(0)
    windows = world.windows(world.task.evaluations[0], 7)
    assert windows.tokens.shape == (7, 20)  # one whole document of 12 tokens, and 8 of the next
    assert windows.firsts.tolist() == [7] * 7
    assert windows.lasts.tolist() == [12] * 7
    assert windows.documents.tolist() == list(range(0, 14, 2))


def test_windows_of_training_begin_with_a_document():
    world = corpus()
    for block in pack(world, 50, packing=world.config.packing):
        first = np.where(block.tokens[:, 0] < -1, -2 - block.tokens[:, 0], block.tokens[:, 0])
        assert (first == world.vocabulary.eos).all()


def test_a_window_must_hold_the_longest_document():
    longest = 1 + 2 * 6 + 4 * 6
    assert corpus(seq_len=longest - 1)
    with pytest.raises(ValueError, match=f"seq_len=35 is too short .* use {longest - 1} or more"):
        corpus(seq_len=longest - 2)
    with pytest.raises(ValueError, match="n_documents=0"):
        corpus(n_documents=0)


def test_documents_are_written_with_their_targets(tmp_path):
    import pyarrow.parquet as pq

    world = corpus(exposures=2)
    folder = write_corpus(world, tmp_path / "depo", n_epochs=2, description={"seed": 0})
    table = pq.read_table(folder / "documents.parquet")
    both = [world.epoch(e, 0, 40) for e in (0, 1)]
    assert table["tokens"].combine_chunks().flatten().to_pylist() == [
        t for own in both for t in own.tokens.tolist()
    ]
    assert table["is_target"].combine_chunks().flatten().to_pylist() == [
        t for own in both for t in own.is_target.tolist()
    ]
    assert read_corpus(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["documents"] == 80
