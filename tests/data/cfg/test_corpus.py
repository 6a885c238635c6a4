"""Strings as training documents, clean and corrupted."""

from functools import cache

import numpy as np
import pytest

from physlm.data.cfg.corpus import BagKind, CfgConfig
from physlm.data.cfg.corruption import CorruptionKind, corrupt
from physlm.data.packing import pack


def test_documents_are_end_of_text_and_one_string_of_the_grammar():
    corpus = CfgConfig(grammar="cfg3f", n_strings=30).build(1)
    documents = corpus.epoch(0, 0, 30)
    rows = [
        documents.tokens[a:b]
        for a, b in zip(documents.starts[:-1], documents.starts[1:], strict=True)
    ]
    assert all(row[0] == corpus.vocabulary.eos == 3 for row in rows)
    assert corpus.grammar.accepts_batch([corpus.string(row[1:]) for row in rows]).all()
    assert corpus.vocabulary.decode(rows[0][1:4]) == "".join(
        f" {token}" for token in corpus.string(rows[0][1:4])
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"corrupted_fraction": 0.4},
        {"corrupted_fraction": 0.4, "corruption": CorruptionKind.nonterminal},
    ],
)
def test_an_epoch_is_a_pure_function_of_its_number(changes):
    corpus = CfgConfig(grammar="cfg3b", n_strings=50, exposures=3, **changes).build(1)
    whole, part = corpus.epoch(2, 0, 50), corpus.epoch(2, 20, 23)
    np.testing.assert_array_equal(part.tokens, whole.tokens[whole.starts[20] : whole.starts[23]])
    assert not np.array_equal(corpus.epoch(1, 0, 5).tokens, corpus.epoch(0, 0, 5).tokens)
    same = CfgConfig(grammar="cfg3b", n_strings=50, exposures=3, **changes).build(1)
    assert same.fingerprint() == corpus.fingerprint()
    np.testing.assert_array_equal(same.epoch(2, 20, 23).tokens, part.tokens)
    other = CfgConfig(grammar="cfg3b", n_strings=50, exposures=3, **changes).build(2)
    assert other.fingerprint() != corpus.fingerprint()


def test_strings_for_measurement_are_not_those_of_training():
    corpus = CfgConfig(grammar="cfg3b", n_strings=500, corrupted_fraction=1.0).build(0)
    training = {string.tobytes() for string in corpus.strings(0, 0, 500)}
    measured = corpus.measured(500, "accuracy")
    assert corpus.grammar.accepts_batch(measured).all()
    assert not training & {string.tobytes() for string in measured}


def test_every_token_is_a_target_once():
    corpus = CfgConfig(grammar="english", n_strings=200).build(0)
    windows = np.concatenate([block.tokens for block in pack(corpus, 16)])
    targets = windows[:, 1:].ravel()
    expected = np.append(corpus.epoch(0, 0, 200).tokens[1:], corpus.vocabulary.eos)
    np.testing.assert_array_equal(targets[targets >= 0], expected)


def test_a_sub_grammar_a_file_and_bags_make_a_corpus(tmp_path):
    sub = CfgConfig(grammar="cfg3b", root=16).build(0)
    assert sub.grammar.rules.root == 16
    path = tmp_path / "mine.txt"
    path.write_text(sub.grammar.to_text())
    assert CfgConfig(grammar=str(path)).build(0).fingerprint() == sub.fingerprint()
    before = CfgConfig(grammar=str(path)).grammar
    assert CfgConfig(grammar=before).build(0).fingerprint() == sub.fingerprint()
    path.write_text(sub.grammar.to_text().replace("9 -> 3 2 1 | 2 1", "9 -> 3 2 1 | 2 3"))
    assert CfgConfig(grammar=str(path)).grammar != before
    with pytest.raises(ValueError, match="^grammar=.*mine.txt has changed; restore it, or give"):
        CfgConfig(grammar=before).build(0)
    assert CfgConfig(grammar="cfg3b").grammar == "cfg3b"
    bags = CfgConfig(grammar="cfg3b", bags=BagKind.disjoint, n_bag_tokens=90).build(0)
    assert bags.vocabulary.size == 91
    assert bags.entropy_bits > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_strings": 0}, "n_strings=0"),
        ({"corrupted_fraction": 1.5}, "corrupted_fraction=1.5"),
        ({"corruption_rate": -0.1}, "corruption_rate=-0.1"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        CfgConfig(**values)


def test_corrupted_strings_have_no_derivations():
    corpus = CfgConfig(corrupted_fraction=0.5).build(0)
    with pytest.raises(
        ValueError, match=r"corrupted_fraction=0.5: corrupted strings have no deriv"
    ):
        corpus.strings(0, 0, 5, derivations=True)


@pytest.mark.parametrize("kind", list(CorruptionKind))
def test_fractions_of_corrupted_strings_and_tokens_are_as_configured(kind):
    config = CfgConfig(grammar="cfg3f", n_strings=3000, corrupted_fraction=0.3, corruption=kind)
    corpus = config.build(0)
    is_corrupted = corpus.is_corrupted(0, 0, 3000)
    assert abs(is_corrupted.mean() - 0.3) < 0.04
    is_valid = corpus.grammar.accepts_batch(corpus.strings(0, 0, 3000))
    assert is_valid[~is_corrupted].all()
    assert is_valid[is_corrupted].mean() < 0.02


def test_tokens_are_redrawn_at_their_rate():
    grammar = CfgConfig(grammar="cfg3f").build(0).grammar
    strings = grammar.numbered(0, 0, 400)
    made = corrupt(grammar, strings, CorruptionKind.terminal, 0.15, key=5)
    assert abs((made.strings.tokens != strings.tokens).mean() - 0.15 * 2 / 3) < 0.005
    np.testing.assert_array_equal(made.n_meant[:3], [1, 2, 3])


@pytest.mark.parametrize("kind", [CorruptionKind.nonterminal, CorruptionKind.nonterminal_fixed])
def test_replaced_symbols_derive_the_tokens_at_their_place(kind):
    """Each part between boundaries is derived by the original symbol or by its replacement."""
    grammar = CfgConfig(grammar="cfg3b").build(0).grammar
    strings = grammar.numbered(0, 0, 20, derivations=True)
    made = corrupt(grammar, strings, kind, 0.2, key=5)
    symbols = list(grammar.levels[-2])
    languages = {s: grammar.subgrammar(s) for s in symbols}
    derives = cache(lambda symbol, part: languages[symbol].accepts(part))
    n_replaced = n_parts = 0
    for i, string in enumerate(made.strings):
        n_meant = made.n_meant[made.strings.starts[i] :][: len(string)]
        ends = np.flatnonzero(n_meant >= 0) + 1
        assert n_meant[-1] == len(strings[i])
        begin = begin_meant = 0
        for end in ends:
            part, meant = (
                tuple(tokens.tolist())
                for tokens in (string[begin:end], strings[i][begin_meant : n_meant[end - 1]])
            )
            row = strings.derivations.ancestors[-2, strings.starts[i] + begin_meant]
            assert derives(row, meant)
            fixed = symbols[(symbols.index(row) + 1) % 3]
            derived = [s for s in symbols if derives(s, part)]
            if part != meant:
                n_replaced += 1
                assert derived if kind is CorruptionKind.nonterminal else fixed in derived
            n_parts += 1
            begin, begin_meant = end, n_meant[end - 1]
    # A third of random replacements choose the same symbol; half of these the same rule.
    expected = 0.2 if kind is CorruptionKind.nonterminal_fixed else 0.2 * (1 - 1 / 6)
    assert abs(n_replaced / n_parts - expected) < 0.02


def test_replacing_nonterminals_needs_derivations():
    grammar = CfgConfig(grammar="cfg3b").build(0).grammar
    with pytest.raises(
        ValueError, match="kind=nonterminal .* needs a grammar of at least 3 levels"
    ):
        corrupt(grammar, grammar.numbered(0, 0, 2), CorruptionKind.nonterminal, 0.1, key=0)
