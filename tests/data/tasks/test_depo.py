"""Depo against its published law, and answers recomputed from the edges."""

from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.depo import Depo
from physlm.data.tasks.names import NameLaw, size_law
from tests.data.tasks.documents import ids, texts

ONE_TOKEN = {"longest_name": 1, "n_symbols": 12}
DEPO_2 = {"k_max": 16, "shortest_name": 5, "longest_name": 7, "n_symbols": 3}


def drawn(n, seed=0, task=None, **difficulty):
    task = task or Depo(n_max=12, k_max=4, **ONE_TOKEN)
    return task, texts(task, task.sample(np.random.default_rng(seed), n, **difficulty))


def parsed(text):
    """Edges, and queries as (k, name, answer); names are tuples of words."""
    names, own, queries = [], [], []
    for word in text[1:]:
        if word.startswith("<query"):
            queries.append([int(word[7:-1])])
        elif word.startswith(("b", "e")):
            own.append(word)
            if word.startswith("e"):
                (queries[-1] if queries else names).append(tuple(own))
                own = []
    return list(zip(names[::2], names[1::2], strict=True)), queries


@pytest.mark.parametrize(
    ("n_max", "mean", "largest"),
    [
        (225, 70.10, 0.00159),
        (300, 90.08, 0.00114),
        (375, 109.54, 0.00088),
        (75, 27.48, 0.00592),
        (125, 42.26, 0.00319),
        (70, 25.95, None),
        (110, 37.91, None),
        (30, 13.12, 0.0187),
        (50, 19.69, 0.0098),
    ],
)
def test_the_size_law_has_the_published_moments(n_max, mean, largest):
    law = size_law(n_max)
    assert law @ np.arange(3, n_max + 1) == pytest.approx(mean, abs=0.005)
    if largest is not None:
        assert law[-1] == pytest.approx(largest, rel=0.01)


def test_sizes_steps_and_queried_names_follow_the_law():
    _, documents = drawn(2000)
    sizes, steps, places = Counter(), Counter(), Counter()
    for text in documents:
        edges, queries = parsed(text)
        sizes[len(edges)] += 1
        steps.update(k for k, *_ in queries)
        starts = [name for _, name, _ in queries]
        assert len(set(starts)) == len(starts) == min(10, len(edges))
        if len(edges) == 12:
            places.update(sorted(n for n, _ in edges).index(name) for name in starts)
    weights = np.array([1 / (n + 12**0.5) for n in range(3, 13)])
    assert chi([sizes[n] for n in range(3, 13)], weights) > 1e-3
    assert chi([steps[k] for k in range(1, 5)], np.ones(4)) > 1e-3
    assert chi([places[i] for i in range(12)], np.ones(12)) > 1e-3


def chi(observed, weights):
    return chisquare(observed, sum(observed) * weights / weights.sum()).pvalue


def test_edges_are_one_uniform_cycle_in_uniform_order():
    cycles, orders = Counter(), Counter()
    task = Depo(n_max=4, longest_name=1, n_symbols=4)
    for text in drawn(3000, task=task, size=4)[1]:
        edges, _ = parsed(text)
        graph = nx.DiGraph(edges)
        assert nx.is_strongly_connected(graph)
        assert {d for _, d in graph.out_degree} == {1}
        successor = dict(edges)
        first = min(successor)
        path = [first, *[successor[first]], successor[successor[first]]]
        cycles[tuple(path)] += 1
        orders[tuple(sorted(a for a, _ in edges).index(a) for a, _ in edges)] += 1
    assert len(cycles) == 6
    assert len(orders) == 24
    assert chi(list(cycles.values()), np.ones(6)) > 1e-3
    assert chi(list(orders.values()), np.ones(24)) > 1e-3


def test_short_names_are_spread_over_the_cycle():
    """They are drawn first, which must not make them neighbours more often."""
    found, expected = [], []
    for text in drawn(2000, task=Depo(n_max=9, longest_name=2, n_symbols=3), size=9)[1]:
        edges, _ = parsed(text)
        n_short = sum(len(name) == 1 for name, _ in edges)
        found.append(sum(len(a) == len(b) == 1 for a, b in edges))
        expected.append(n_short * (n_short - 1) / 8)
    differences = np.array(found) - expected
    assert abs(differences.mean()) < 4 * differences.std() / 2000**0.5


def test_every_answer_is_the_kth_successor_and_the_checker_agrees():
    for chosen in (None, Depo(n_max=20, **DEPO_2)):
        task, documents = drawn(25, task=chosen)
        n_right = 0
        for text in documents:
            edges, queries = parsed(text)
            successor = dict(edges)
            at = [i for i, word in enumerate(text) if word == "<ans>"]
            for (k, name, answer), place in zip(queries, at, strict=True):
                reached = name
                for _ in range(k):
                    reached = successor[reached]
                assert reached == answer
                prompt = ids(task, " ".join(["bos", *text[1 : place + 1]]))
                assert task.check(prompt, ids(task, " ".join(answer)))
                other = next(n for n in successor if n != answer)
                assert not task.check(prompt, ids(task, " ".join(other)))
                assert not task.check(prompt, ids(task, " ".join(answer * 2)))
                n_right += 1
        assert n_right > 100


def test_the_worked_example():
    task = Depo(n_max=3, k_max=2, longest_name=1, n_symbols=3)
    text = "bos e2 e3 e3 e1 e1 e2 <query_2> e1 <ans> e3 <query_1> e3 <ans> e1 <query_2> e2 <ans>"
    assert task.check(ids(task, text), ids(task, "e1"))
    assert task.check(ids(task, text)[:14], ids(task, "e1"))
    assert task.check(ids(task, text)[:10], ids(task, "e3"))
    before = ids(task, "bos e1 e2 e2 e1 <query_1> e1 <ans> e2")  # another document of the window
    assert task.check(np.concatenate([before, ids(task, text)]), ids(task, "e1"))
    assert not task.check(ids(task, text), ids(task, "e2"))
    with pytest.raises(ValueError, match="a prompt ends with <ans>; cut it there"):
        task.check(ids(task, text)[:-1], ids(task, "e1"))


def test_loss_is_on_each_ans_and_the_name_after_it():
    task = Depo(n_max=12, **DEPO_2)
    documents = task.sample(np.random.default_rng(0), 20)
    for text, marks in zip(
        texts(task, documents), np.split(documents.is_target, documents.starts[1:-1]), strict=True
    ):
        is_after = False
        for word, is_target in zip(text, marks, strict=True):
            is_after = word == "<ans>" or (is_after and not word.startswith("<"))
            assert is_target == is_after


@pytest.mark.parametrize(
    ("values", "n_tokens", "n_targets", "n_at_largest"),
    [
        ({"n_max": 225}, 283.5, 24.6, 859),
        ({"n_max": 375}, 432.9, 25.4, 1458),
        ({"n_max": 75, **DEPO_2}, 456.9, 62.8, 1044),
        ({"n_max": 125, **DEPO_2}, 638.9, 64.8, 1648),
    ],
)
def test_documents_have_the_published_lengths(values, n_tokens, n_targets, n_at_largest):
    task, rng = Depo(**values), np.random.default_rng(1)
    documents = task.sample(rng, 6000)
    assert len(documents.tokens) / 6000 == pytest.approx(n_tokens, rel=0.03)
    assert documents.is_target.sum() / 6000 == pytest.approx(n_targets, rel=0.01)
    largest = task.sample(rng, 200, size=task.n_max)
    assert len(largest.tokens) / 200 == pytest.approx(n_at_largest, rel=0.005)
    assert np.diff(largest.starts).max() <= task.longest


def test_names_have_uniform_lengths_and_symbols_unless_short_ones_run_out():
    _, documents = drawn(1500, task=Depo(n_max=3, **DEPO_2), size=3)
    names = [name for text in documents for name, _ in parsed(text)[0]]
    assert chi([Counter(map(len, names))[n] for n in (5, 6, 7)], np.ones(3)) > 1e-3
    symbols = Counter(word for name in names for word in name)
    assert chi([symbols[f"b{i}"] for i in (1, 2, 3)], np.ones(3)) > 1e-3
    assert chi([symbols[f"e{i}"] for i in (1, 2, 3)], np.ones(3)) > 1e-3
    for n_max, share in ((225, 0.216), (300, 0.165), (375, 0.133)):
        _, documents = drawn(30, task=Depo(n_max=n_max), size=n_max)
        names = [name for text in documents for name, _ in parsed(text)[0]]
        found = np.mean([len(name) == 1 for name in names])
        assert found == pytest.approx(share, abs=0.01)


def test_the_vocabulary_has_names_marks_and_bos():
    task = Depo()
    assert task.vocabulary.size == 2 * 50 + 8 + 2
    assert task.vocabulary.eos == task.bos
    assert [task.vocabulary.reserved(mark) for mark in task.marks] == list(
        map(task.mark, task.marks)
    )
    assert Depo(n_max=12, **ONE_TOKEN).vocabulary.size == 12 + 8 + 2
    assert Depo(has_eos=True).vocabulary.size == 2 * 50 + 8 + 3


def test_an_eos_ends_documents_on_request():
    task, documents = drawn(20, task=Depo(n_max=5, has_eos=True))
    assert all(text[-1] == "<eos>" and text.count("<eos>") == 1 for text in documents)
    found = task.sample(np.random.default_rng(0), 20)
    assert found.is_target[found.starts[1:] - 1].all()


def test_a_document_is_a_function_of_its_number_and_difficulty_can_be_fixed():
    task = Depo(n_max=9, k_max=3)
    whole, part = task.numbered(5, 0, 40, {}), task.numbered(5, 30, 40, {})
    assert np.array_equal(whole.tokens[whole.starts[30] :], part.tokens)
    for text in drawn(20, task=task, size=7, k=3)[1]:
        edges, queries = parsed(text)
        assert len(edges) == 7
        assert {k for k, *_ in queries} == {3}
    steps = [e.difficulty["k"] for e in Depo(k_max=8).evaluations]
    assert steps == [1, 2, 4, 8]
    assert [e.dims for e in Depo(k_max=6).evaluations] == [{"k": k} for k in (1, 2, 4, 6)]
    for wrong in ({"size": 10}, {"k": 0}, {"depth": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            task.sample(np.random.default_rng(0), 1, **wrong)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_max": 2}, "n_max=2; must be at least 3"),
        ({"k_max": 0}, "k_max=0"),
        ({"shortest_name": 3}, "shortest_name=3 with longest_name=2"),
        ({"n_max": 13, "longest_name": 1, "n_symbols": 12}, "12 names of 1 to 1 tokens"),
        ({"longest_name": 11}, "too many names"),
        ({"n_symbols": 0}, "n_symbols=0"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Depo(**values)


def test_a_name_law_counts_its_names():
    assert NameLaw(5, 7, 3).n_names == 3**5 + 3**6 + 3**7
    assert all(a < b for a, b in pairwise([NameLaw(1, n, 4).n_names for n in (1, 2, 3)]))
