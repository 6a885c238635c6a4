"""Properties of strings of any grammar: sampled, corrupted, and as training documents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.cfg.corpus import CfgConfig
from physlm.data.cfg.corruption import CorruptionKind, corrupt
from tests.data.cfg.conftest import small_grammar

KEYS = st.integers(0, 2**31)
grammars = st.integers(0, 60).map(small_grammar)
few_examples = settings(max_examples=15)


@few_examples
@given(grammars, KEYS, st.integers(0, 10**6), st.integers(1, 20))
def test_a_string_is_in_the_language_and_a_function_of_its_number(grammar, key, first, n):
    strings = grammar.numbered(key, first, n, derivations=True)
    assert grammar.accepts_batch(strings).all()
    last = grammar.numbered(key, first + n - 1, 1)
    assert np.array_equal(last[0], strings[n - 1])
    # One derivation is at most as probable as the string, which may have several.
    summed = grammar.log_probabilities(strings)
    assert (strings.derivations.log_probability <= summed + 1e-9).all()


@few_examples
@given(grammars, KEYS, st.sampled_from(CorruptionKind), st.floats(0, 1))
def test_corruption_uses_tokens_of_the_grammar_and_keeps_alignment(grammar, key, kind, rate):
    strings = grammar.numbered(key, 0, 10, derivations=True)
    made = corrupt(grammar, strings, kind, rate, key)
    assert set(made.strings.tokens.tolist()) <= set(grammar.tokens)
    again = corrupt(grammar, strings, kind, rate, key)
    assert np.array_equal(made.strings.tokens, again.strings.tokens)
    for i, string in enumerate(made.strings):
        meant = made.n_meant[made.strings.starts[i] :][: len(string)]
        known = meant[meant >= 0]
        assert known[-1] == len(strings[i])
        assert (np.diff(known) > 0).all()
    if rate == 0:
        assert np.array_equal(made.strings.tokens, strings.tokens)


@few_examples
@given(KEYS, st.integers(1, 40), st.integers(0, 3), st.floats(0, 1), st.data())
@pytest.mark.parametrize("grammar", ["english", "cfg3b"])
def test_an_epoch_is_one_string_a_document_and_follows_from_its_number(
    grammar, seed, n, epoch, fraction, data
):
    config = CfgConfig(grammar=grammar, n_strings=n, corrupted_fraction=fraction, exposures=4)
    corpus, again = config.build(seed), config.build(seed)
    whole = corpus.epoch(epoch, 0, n)
    cut = data.draw(st.integers(0, n - 1))
    part = again.epoch(epoch, cut, n)
    assert np.array_equal(part.tokens, whole.tokens[whole.starts[cut] :])
    assert (whole.tokens == corpus.vocabulary.eos).sum() == n
    assert (whole.tokens[whole.starts[:-1]] == corpus.vocabulary.eos).all()
    clean = ~corpus.is_corrupted(epoch, 0, n)
    strings = [
        whole.tokens[a + 1 : b] for a, b in zip(whole.starts, whole.starts[1:], strict=False)
    ]
    accepted = corpus.grammar.accepts_batch([corpus.string(row) for row in strings])
    assert accepted[clean].all()
