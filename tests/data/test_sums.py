"""Chains of arithmetic, against Python's own integers."""

import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.sums.chains import first_wrong_step
from physlm.data.sums.corpus import SumsConfig

SMALL = SumsConfig(modulus=3, n_steps=2, n_texts=20, held_out_fraction=0.2)  # 108 problems


def sums(modulus=23, n_steps=4, seed=0, **values):
    return SumsConfig(modulus=modulus, n_steps=n_steps, **values).build(seed)


def text_of(corpus, tokens):
    return corpus.vocabulary.decode(tokens[1:]).strip()


def steps_of(text):
    """The statement, the steps as (left, operator, operand, result), and the answer."""
    statement, work = text.split(" : ")
    *steps, answer = work.split(" ; ")
    form = r"(\d+) ([-+*]) (\d+) = (\d+)"
    return statement, [re.fullmatch(form, step).groups() for step in steps], answer.split()[1]


def value_of(statement, modulus):
    """The value of a statement, by Python from left to right."""
    first, *rest = statement.split()
    value = int(first)
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        value = eval(f"{value} {operator} {operand}") % modulus
    return value


def wrong_steps(text, modulus):
    """Steps whose equation is false, or that use other terms than the statement and the past."""
    statement, steps, answer = steps_of(text)
    previous, *stated = statement.split()
    found = []
    for i, (left, operator, operand, result) in enumerate(steps):
        is_true = eval(f"({left} {operator} {operand}) % {modulus}") == int(result)
        is_stated = [operator, operand] == stated[2 * i : 2 * i + 2]
        if not (is_true and is_stated and left == previous):
            found.append(i)
        previous = result
    return found if answer == previous else [*found, len(steps)]


def test_every_text_states_a_problem_and_works_it_out():
    corpus = sums()
    documents = corpus.epoch(1, 0, 200)
    for a, b in pairwise(documents.starts):
        text = text_of(corpus, documents.tokens[a:b])
        statement, _, answer = steps_of(text)
        assert wrong_steps(text, 23) == []
        assert int(answer) == value_of(statement, 23)


@pytest.mark.parametrize("n_errors", [1, 2, 4])
@pytest.mark.parametrize("corruption", sums().corruptions)
def test_mistakes_are_those_that_python_finds(corruption, n_errors):
    corpus = sums()
    found = corpus.labelled(100, corruption, n_errors)
    wrong = np.stack(found.tokens[1::2])
    first = first_wrong_step(wrong, 23, 4)
    assert (first_wrong_step(np.stack(found.tokens[::2]), 23, 4) == -1).all()
    for i, tokens in enumerate(wrong):
        text = text_of(corpus, tokens)
        statement, steps, answer = steps_of(text)
        mistakes = wrong_steps(text, 23)
        right = value_of(statement, 23)
        assert first[i] == mistakes[0]
        results = [int(step[3]) for step in steps]
        if corruption == "intermediate":
            assert len(mistakes) == n_errors
            assert int(answer) == results[-1]
            assert n_errors > 1 or results[-1] != right  # steps are bijections
        if corruption == "intermediate_not_carried":
            terms = [step[:3] for step in steps]
            true = [eval(f"({' '.join(term)}) % 23") for term in terms]
            assert sum(a != b for a, b in zip(true, results, strict=True)) == n_errors
            assert [int(term[0]) for term in terms[1:]] == true[:-1]  # goes on from what is right
            assert int(answer) == right
        if corruption == "operator":
            stated = re.findall(r"[-+*]", statement)
            used = [step[1] for step in steps]
            assert sum(a != b for a, b in zip(stated, used, strict=True)) == n_errors
            assert len(mistakes) == n_errors
        if corruption == "right_answer":
            assert int(answer) == right
            assert sum(step < 4 for step in mistakes) == n_errors


def test_the_error_position_is_that_of_the_first_token_that_python_would_not_write():
    corpus = sums()
    for corruption, place in (("intermediate", 3), ("operator", 1), ("right_answer", 3)):
        found = corpus.labelled(50, corruption, 1)
        for tokens, position in zip(found.tokens[1::2], found.error_position[1::2], strict=True):
            text = text_of(corpus, tokens)
            before = text_of(corpus, tokens[: position + 1])
            step = wrong_steps(text, 23)[0]
            assert before.count("=") == step + (place == 3)
            assert before.split()[-1] == steps_of(text)[1][step][place]


def test_training_reads_every_problem_once_before_any_again_and_none_that_is_held_out():
    corpus = SMALL.build(5)
    n_held_out = math.ceil(0.2 * 108)
    texts = [row.tobytes() for row in corpus.held_out(0, n_held_out)]
    tokens = [corpus.epoch(number, 0, 20).tokens.reshape(20, -1) for number in range(9)]
    rows = [row.tobytes() for row in np.concatenate(tokens)]
    counts = Counter(rows)
    assert len(counts) == 108 - n_held_out
    assert len(set(rows[: len(counts)])) == len(counts)
    assert set(counts.values()) == {2, 3}
    assert len(set(texts)) == n_held_out
    assert not set(texts) & set(rows)
    assert corpus.entropy_bits == math.log2(108 - n_held_out)
    assert corpus.floor_nats_per_token == pytest.approx(math.log(108) / 21)


def test_the_true_entropies_of_tokens_add_up_to_that_of_a_problem():
    corpus = SMALL.build(5)
    texts = corpus.held_out(0, 5)
    assert corpus.true_entropies(texts).sum(axis=1) == pytest.approx(math.log(108))
    annotated = sums().annotated(1000)
    assert len(annotated.documents.tokens) == len(annotated.classes) >= 1000
    free = {*annotated.classes[annotated.entropy_nats > 0].tolist()}
    assert free == {"problem"}


def test_results_are_uniform_so_that_none_gives_a_mistake_away():
    corpus = sums(modulus=5, n_texts=4000)
    results = corpus.epoch(0, 0, 4000).tokens.reshape(4000, -1)[:, [15, 21, 27, 33]]
    assert set(results.ravel().tolist()) == set(range(5))
    for column in results.T:
        assert chisquare(np.bincount(column, minlength=5)).pvalue > 1e-4


def test_an_epoch_is_a_function_of_its_number_and_its_parts_are_those_of_the_whole():
    corpus, again = sums(n_texts=50), sums(n_texts=50)
    whole = corpus.epoch(3, 0, 50).tokens
    parts = [again.epoch(3, 0, 17).tokens, again.epoch(3, 17, 50).tokens]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(corpus.epoch(4, 0, 50).tokens, whole)
    prints = {sums(seed=s, modulus=m).fingerprint() for s in (0, 1) for m in (5, 7)}
    assert len(prints) == 4
    assert corpus.fingerprint() == again.fingerprint()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modulus": 2}, "modulus=2; must be at least 3"),
        ({"n_steps": 0}, "n_steps=0; must be at least 1"),
        ({"n_steps": 12}, r"modulus=23 and n_steps=12 make more than 2\^62 problems; lower one"),
        ({"held_out_fraction": 1.0}, "held_out_fraction=1.0; must be above 0 and below 1"),
        ({"n_texts": 0}, "n_texts=0"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SumsConfig(**values)


def test_more_problems_than_are_held_out_are_refused():
    with pytest.raises(ValueError, match="holds out 22 problems, and 23 are needed"):
        SMALL.build(0).labelled(23, "operator", 1)


def test_the_checker_refuses_what_is_no_text():
    corpus = sums()
    texts = corpus.held_out(0, 2)
    with pytest.raises(ValueError, match="texts have 36 tokens; with n_steps=4 they must have 37"):
        first_wrong_step(texts[:, :-1], 23, 4)
    texts[1, 2] = 5
    with pytest.raises(ValueError, match="text 1 states no problem"):
        first_wrong_step(texts, 23, 4)
