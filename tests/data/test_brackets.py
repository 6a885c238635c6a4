"""Dyck words, against brute force over all words and a stack."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.brackets.dyck import first_wrong_bracket, n_shapes, shapes_of, typed

PARTNER = {")": "(", "]": "[", "}": "{", ">": "<"}


def is_balanced(word):
    stack = []
    for bracket in word:
        if bracket not in PARTNER:
            stack.append(bracket)
        elif not stack or stack.pop() != PARTNER[bracket]:
            return False
    return not stack


def balanced(n, brackets="()[]"):
    return {"".join(word) for word in product(brackets, repeat=n) if is_balanced(word)}


def written(corpus, tokens):
    return corpus.vocabulary.decode(tokens[1:]).replace(" ", "")


@pytest.mark.parametrize("n", [2, 4, 8, 12])
def test_numbers_count_every_shape_once(n):
    shapes = shapes_of(np.arange(n_shapes(n)), n)
    words = {"".join("()"[not opens] for opens in shape) for shape in shapes}
    assert len(words) == n_shapes(n)
    assert words == balanced(n, "()")


def test_the_largest_length_is_counted_without_overflow():
    n = n_shapes(70)
    assert n == math.comb(70, 35) // 36 == BracketsConfig(n_brackets=70).n_problems
    numbers = np.array([0, n // 3, n - 1])
    words = typed(shapes_of(numbers, 70), np.zeros((3, 35), dtype=np.int64))
    assert (first_wrong_bracket(words) == -1).all()


def test_words_of_training_are_uniform_over_all_whose_shape_is_not_held_out():
    corpus = BracketsConfig(n_brackets=6, n_texts=4000, held_out_fraction=0.01).build(2)
    tokens = corpus.epoch(0, 0, 4000).tokens.reshape(4000, -1)
    counts = Counter(written(corpus, row) for row in tokens)
    everything = balanced(6)
    (held_out,) = {shape(word) for word in everything} - {shape(word) for word in counts}
    assert set(counts) == {word for word in everything if shape(word) != held_out}
    assert shape(written(corpus, corpus.held_out(0, 1)[0])) == held_out
    assert chisquare(list(counts.values())).pvalue > 1e-4
    assert corpus.entropy_bits == math.log2(len(counts))
    assert corpus.floor_nats_per_token == pytest.approx(math.log(len(everything)) / 7)


def shape(word):
    return word.replace("[", "(").replace("]", ")")


def test_the_true_entropies_of_tokens_add_up_to_that_of_a_word():
    """By the chain rule, as a mean over all words."""
    corpus = BracketsConfig(n_brackets=8).build(0)
    ids = {bracket: i for i, bracket in enumerate("()[]")}
    words = sorted(balanced(8))
    texts = np.array([[4, *(ids[bracket] for bracket in word)] for word in words], dtype=np.int32)
    entropies = corpus.true_entropies(texts)
    assert entropies.sum(axis=1).mean() == pytest.approx(math.log(len(words)))
    after_two = Counter(word[2] for word in words if word.startswith("(["))
    p = np.array(list(after_two.values())) / after_two.total()
    row = next(i for i, word in enumerate(words) if word.startswith("(["))
    assert entropies[row, 3] == pytest.approx(-(p * np.log(p)).sum())


def test_the_first_wrong_bracket_is_the_first_that_begins_no_word_of_this_length():
    words = balanced(6)
    beginnings = {word[:n] for word in words for n in range(7)}
    every = np.array(list(product(range(4), repeat=6)), dtype=np.int32)
    for tokens, found in zip(every, first_wrong_bracket(every), strict=True):
        word = "".join("()[]"[token] for token in tokens)
        n_sound = max(n for n in range(7) if word[:n] in beginnings)
        assert found == (-1 if n_sound == 6 else n_sound)


@pytest.mark.parametrize("n_errors", [1, 2, 4])
@pytest.mark.parametrize("corruption", ["swap", "types"])
def test_a_stack_refuses_the_wrong_words_alone(corruption, n_errors):
    corpus = BracketsConfig(n_brackets=20).build(1)
    found = corpus.labelled(60, corruption, n_errors)
    for tokens, is_valid in zip(found.tokens, found.is_valid, strict=True):
        assert is_balanced(written(corpus, tokens)) == is_valid
    for right, wrong in zip(found.tokens[::2], found.tokens[1::2], strict=True):
        changed = right != wrong
        assert changed.sum() == 2 * n_errors
        is_same_side = right[changed] % 2 == wrong[changed] % 2
        assert is_same_side.all() if corruption == "types" else not is_same_side.any()


def test_a_word_of_brackets_of_one_type_has_no_types_to_swap():
    corpus = BracketsConfig(n_brackets=10, n_types=1).build(0)
    with pytest.raises(ValueError, match="corruption=types, n_errors=1: only 0 of"):
        corpus.labelled(2, "types", 1)
    assert len(corpus.labelled(2, "swap", 1)) == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_brackets": 7}, "n_brackets=7; must be even"),
        ({"n_brackets": 2}, "n_brackets=2; must be at least 4"),
        ({"n_brackets": 72}, r"n_brackets=72 make more than 2\^62 problems"),
        ({"n_types": 5}, "n_types=5; must be from 1 to 4"),
        ({"n_brackets": 4, "held_out_fraction": 0.9}, "leaves none to train on"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        BracketsConfig(**values)
