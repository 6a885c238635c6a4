"""Right and wrong texts of every world: equal lengths, doses, labels, and what counts tell."""

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.labelled import Labelled, LabelledTexts, pairs
from physlm.data.people.bios import BiosConfig
from physlm.data.rejection import collected, refused_versions
from physlm.data.sums.corpus import SumsConfig
from physlm.data.tokens import TokenizerName

WORLDS = {
    "grammar": CfgConfig(grammar="english"),
    "sums": SumsConfig(n_steps=4),
    "brackets": BracketsConfig(n_brackets=16),
    "people": BiosConfig(n_people=60, pool_size=20, tokenizer=TokenizerName.compact),
}
CASES = [
    *(("grammar", kind, n) for kind in ("terminal_swap", "subtree_swap") for n in (1, 2)),
    *(("grammar", kind, n) for kind in ("symbol_replaced", "token_replaced") for n in (1, 4)),
    *(("sums", kind, n) for kind in ("intermediate", "intermediate_not_carried") for n in (1, 4)),
    *(("sums", kind, n) for kind in ("operator", "right_answer") for n in (1, 2)),
    *(("brackets", kind, n) for kind in ("swap", "types") for n in (1, 4)),
    *(("people", kind, n) for kind, n in (("swapped", 1), ("swapped", 4), ("unknown", 1))),
]
N = 20  # problems
SAME_TOKENS = {"terminal_swap", "subtree_swap", "swap", "types"}


@cache
def world(name):
    return WORLDS[name].build(3)


@cache
def texts_of(name, corruption, n_errors):
    return world(name).labelled(N, corruption, n_errors)


def test_every_corruption_is_tried():
    assert {(name, kind) for name, kind, _ in CASES} == {
        (name, kind) for name in WORLDS for kind in world(name).corruptions
    }


@pytest.mark.parametrize(("name", "corruption", "n_errors"), CASES)
def test_a_problem_is_a_valid_text_and_a_wrong_one_of_the_same_length(name, corruption, n_errors):
    found = texts_of(name, corruption, n_errors)
    assert isinstance(world(name), Labelled)
    assert found.problem.tolist() == [i for i in range(N) for _ in range(2)]
    assert found.is_valid.tolist() == [True, False] * N
    assert found.corruption == ("none", corruption) * N
    assert found.n_errors.tolist() == [0, n_errors] * N
    eos = world(name).vocabulary.eos
    for valid, wrong in zip(found.tokens[::2], found.tokens[1::2], strict=True):
        assert len(valid) == len(wrong)
        assert valid[0] == wrong[0] == eos
        assert not np.array_equal(valid, wrong)
        if corruption in SAME_TOKENS:  # so that no count of tokens can tell them apart
            assert Counter(valid.tolist()) == Counter(wrong.tolist())


@pytest.mark.parametrize(("name", "corruption", "n_errors"), CASES)
def test_the_first_wrong_token_is_not_before_the_first_change(name, corruption, n_errors):
    found = texts_of(name, corruption, n_errors)
    assert (found.error_position[::2] == -1).all()
    for i in range(0, len(found), 2):
        changes = np.flatnonzero(found.tokens[i] != found.tokens[i + 1])
        assert found.error_position[i + 1] >= changes[0] > 0
        assert found.error_position[i + 1] <= len(found.tokens[i])


def test_the_texts_are_a_function_of_the_seed_and_the_arguments():
    for name, kind in (("grammar", "token_replaced"), ("brackets", "swap"), ("people", "swapped")):
        again = WORLDS[name].build(3).labelled(N, kind, 1)
        assert all(map(np.array_equal, again.tokens, texts_of(name, kind, 1).tokens))
    other = WORLDS["sums"].build(4).labelled(N, "intermediate", 1)
    same = texts_of("sums", "intermediate", 1)
    assert not any(map(np.array_equal, other.tokens, same.tokens))


def test_training_never_reads_a_valid_text_of_a_held_out_problem():
    for name in ("sums", "brackets"):
        corpus = world(name)
        documents = corpus.epoch(0, 0, 5000)
        seen = {documents.tokens[a:b].tobytes() for a, b in pairwise(documents.starts)}
        held_out = texts_of(name, corpus.corruptions[0], 1).tokens[::2]
        assert not seen & {text.tobytes() for text in held_out}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("grammar", (5, "typo", 1), "corruption='typo' is unknown in this world; use one of term"),
        ("sums", (0, "operator", 1), "n_problems=0; must be at least 1"),
        ("brackets", (5, "swap", 0), "n_errors=0; must be at least 1"),
        ("sums", (5, "operator", 5), "n_errors=5 exceeds n_steps=4; lower it"),
        ("people", (61, "swapped", 1), "n_problems=61 exceeds n_people=60"),
        ("people", (5, "swapped", 7), "n_errors=7 exceeds the 6 attributes"),
        ("people", (5, "unknown", 2), "n_errors=2; must be 1 with corruption=unknown"),
        ("brackets", (5, "swap", 9), "n_errors=9: only 0 of 5 texts can be corrupted so"),
        ("grammar", (5, "subtree_swap", 50), "only 0 of 200 texts can be corrupted so"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(name, arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        world(name).labelled(*arguments)
    assert "\n" not in str(caught.value)


def test_texts_without_a_value_of_each_field_are_refused():
    one = texts_of("sums", "operator", 1)
    with pytest.raises(ValueError, match="one value per text in each field"):
        LabelledTexts(
            one.tokens[:1],
            one.is_valid,
            one.problem,
            one.corruption,
            one.n_errors,
            one.error_position,
            one.level,
            one.source,
            one.is_complete,
            one.n_given,
        )


def test_a_pair_of_unequal_lengths_is_refused():
    short, long = np.zeros(3, np.int32), np.zeros(4, np.int32)
    with pytest.raises(ValueError, match="pair 0 has 3 and 4 tokens"):
        pairs([short], [long], "swap", 1, error_position=np.array([1]))


def test_a_text_is_corrupted_until_it_is_refused():
    """Odd numbers are right; 1 becomes 3, then 5, then 6, and 7 cannot be corrupted."""
    made = {0: iter([3, 5, 6]), 1: iter([None, 8])}

    def corrupt(chosen):
        values = [next(made[i]) for i in chosen.tolist()]
        return [None if value is None else np.array([value], np.int32) for value in values]

    found = refused_versions(2, corrupt, lambda texts: np.array([t[0] % 2 == 1 for t in texts]))
    assert found[0].tolist() == [6]
    assert found[1] is None


def test_texts_without_a_wrong_version_are_passed_over():
    one = np.zeros(1, np.int32)
    blocks = [([one, one + 1], [None, one + 5]), ([one + 2, one + 3], [one + 6, None]), ([], [])]
    valid, wrong = collected(2, lambda number: blocks[number], "swap")
    assert [text.tolist() for text in (*valid, *wrong)] == [[1], [2], [5], [6]]
    with pytest.raises(ValueError, match="swap: only 2 of 4 texts can be corrupted so"):
        collected(3, lambda number: blocks[number], "swap")
