"""Copy: the string again, and nothing else, is predicted."""

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.copy import Copy, CopyConfig
from tests.data.tasks.documents import ids


def test_documents_hold_a_uniform_string_twice():
    task = Copy(n_copied=6, n_symbols=5)
    documents = task.sample(np.random.default_rng(0), 500)
    rows = documents.tokens.reshape(500, 14)
    assert (rows[:, 0] == task.bos).all()
    assert (rows[:, 7] == task.mark("<copy>")).all()
    assert np.array_equal(rows[:, 1:7], rows[:, 8:])
    assert chisquare(np.bincount(rows[:, 1:7].ravel())).pvalue > 1e-3
    is_target = documents.is_target.reshape(500, 14)
    assert is_target[:, 8:].all()
    assert not is_target[:, :8].any()
    assert np.array_equal(documents.is_target, task.is_answer(documents.tokens))
    assert task.vocabulary.size == 7
    assert task.chance({}) == pytest.approx(5**-6)


def test_only_the_same_string_is_right():
    task = Copy(n_copied=3, n_symbols=5)
    prompt = ids(task, "bos s1 s5 s1 <copy>")
    assert task.check(prompt, ids(task, "s1 s5 s1"))
    assert not task.check(prompt, ids(task, "s1 s5 s2"))
    assert not task.check(prompt, ids(task, "s1 s5"))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="n_copied=0"):
        Copy(n_copied=0)
    with pytest.raises(ValueError, match="seq_len=10 is too short .* use 11 or more"):
        CopyConfig(n_copied=5, seq_len=10)
