"""Corpora with derivations are read back from disk unchanged."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from physlm.data.cfg.corpus import BagKind, CfgConfig
from physlm.data.cfg.corruption import CorruptionKind
from physlm.data.cfg.parquet import read_strings
from physlm.data.export import write_corpus
from physlm.data.stored import read_corpus
from physlm.errors import InputError

BAGS = {"grammar": "cfg3b", "bags": BagKind.overlapping}


@pytest.mark.parametrize("changes", [{"grammar": "cfg3e1"}, {"grammar": "english"}, BAGS])
def test_reading_back_gives_strings_and_derivations_exactly(tmp_path, changes):
    corpus = CfgConfig(n_strings=50, exposures=2, **changes).build(3)
    folder = write_corpus(corpus, tmp_path / "corpus", n_epochs=2, description={})
    written = read_strings(folder)
    for epoch in range(2):
        strings = corpus.strings(epoch, 0, 50, derivations=True)
        part = written.chosen(np.arange(100) // 50 == epoch)
        for mine, theirs in ((part.tokens, strings.tokens), (part.starts, strings.starts)):
            np.testing.assert_array_equal(mine, theirs)
        for name in ("ancestors", "subtrees", "is_boundary", "log_probability"):
            mine, theirs = (getattr(s.derivations, name) for s in (part, strings))
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype
    stored = read_corpus(folder)
    first = stored.tokens[: stored.starts[50]]
    np.testing.assert_array_equal(first, corpus.epoch(0, 0, 50).tokens)
    n_rules = sum(1 for _ in corpus.grammar.rules)
    assert pq.read_table(folder / "rules.parquet").num_rows == n_rules


def test_a_corrupted_corpus_marks_its_corrupted_strings(tmp_path):
    corpus = CfgConfig(
        n_strings=40, corrupted_fraction=0.5, corruption=CorruptionKind.nonterminal
    ).build(0)
    folder = write_corpus(corpus, tmp_path / "corpus", n_epochs=1, description={})
    strings = read_strings(folder)
    assert strings.derivations is None
    said = pq.read_table(folder / "documents.parquet")["is_corrupted"].to_numpy()
    np.testing.assert_array_equal(said, corpus.is_corrupted(0, 0, 40))
    assert (corpus.grammar.accepts_batch(strings) >= ~said).all()


def test_a_missing_file_of_the_truth_is_refused(tmp_path):
    corpus = CfgConfig(n_strings=5).build(0)
    folder = write_corpus(corpus, tmp_path / "corpus", n_epochs=1, description={})
    (folder / "rules.parquet").unlink()
    with pytest.raises(InputError, match=r"rules.parquet is missing"):
        read_strings(folder)
