"""Brevo against networkx, and against the published statistics of its graphs."""

from collections import Counter
from functools import cache

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.data.tasks.brevo import Brevo, BrevoConfig, QueriedVertex, Rounding
from tests.data.tasks.documents import ids, texts

BREVO_2 = {"shortest_name": 2, "longest_name": 4, "n_symbols": 4}
QUARTER = QueriedVertex.last_quarter


def drawn(task, n, seed=0, **difficulty):
    return texts(task, task.sample(np.random.default_rng(seed), n, **difficulty))


def names_of(words):
    found, own = [], []
    for word in words:
        own.append(word)
        if word.startswith("e"):
            found.append(" ".join(own))
            own = []
    assert not own
    return found


def parsed(text):
    """The graph, the query, and the answer without its end."""
    query, ans = text.index("<query>"), text.index("<ans>")
    names = names_of(text[1:query])
    (queried,) = names_of(text[query + 1 : ans])
    graph = nx.DiGraph(list(zip(names[::2], names[1::2], strict=True)))
    return graph, queried, names_of(text[ans + 1 : -1])


def prompt_of(task, text):
    return ids(task, " ".join(["bos", *text[1 : text.index("<ans>") + 1]]))


@pytest.mark.parametrize("values", [{"n_max": 12}, {"n_max": 9, **BREVO_2}])
def test_answers_are_topological_orders_of_all_ancestors(values):
    task = Brevo(**values)
    for text in drawn(task, 150):
        graph, query, answer = parsed(text)
        assert nx.is_directed_acyclic_graph(graph)
        assert max(d for _, d in graph.in_degree) <= 4
        assert max(d for _, d in graph.out_degree) <= 4
        assert graph.out_degree(query) == 0
        ancestors = nx.ancestors(graph, query) | {query}
        assert sorted(answer) == sorted(ancestors)
        place = {v: i for i, v in enumerate(answer)}
        assert all(place[a] < place[b] for a, b in graph.subgraph(ancestors).edges)
        question = task.question(prompt_of(task, text))
        sources = [v for v in ancestors if graph.in_degree(v) == 0]
        depth = min(nx.shortest_path_length(graph, v, query) for v in sources)
        assert question.depth == depth
        assert {tuple(ids(task, v)) for v in ancestors} == question.answer


@pytest.mark.parametrize("values", [{}, {"accepts_duplicates": True}])
def test_the_checker_accepts_every_order_that_networkx_does_and_no_other(values):
    task = Brevo(n_max=7, **values)
    rng, n_orders = np.random.default_rng(0), 0
    for text in drawn(task, 60, size=7):
        graph, query, _ = parsed(text)
        inner = graph.subgraph(nx.ancestors(graph, query) | {query})
        orders = {tuple(order) for order in nx.all_topological_sorts(inner)}
        prompt = prompt_of(task, text)
        tried = [*sorted(orders)[:20], *(tuple(rng.permutation(list(inner))) for _ in range(5))]
        for order in tried:
            answer = ids(task, " ".join([*order, "<eos>"]))
            assert task.check(prompt, answer) == (order in orders)
        n_orders += len(orders)
    assert n_orders > 200


def test_duplicates_strangers_gaps_and_missing_ends_are_refused():
    task = Brevo(n_max=5)
    prompt = ids(task, "bos e3 e5 e1 e2 e4 e5 e1 e3 e1 e4 <query> e5 <ans>")
    for right in ("e1 e4 e3 e5", "e1 e3 e4 e5"):
        assert task.check(prompt, ids(task, f"{right} <eos>"))
        assert not task.check(prompt, ids(task, right))
        assert not task.check(prompt, ids(task, f"{right} <ans>"))
    wrong = ["e1 e4 e5", "e4 e1 e3 e5", "e1 e2 e3 e4 e5", "e1 e4 e4 e3 e5", "e1 e4 e3"]
    for answer in (*wrong, "e1 <query> e5", "e1 e4 e5 e3", "e1 e4 <eos> e3 e5"):
        assert not task.check(prompt, ids(task, f"{answer} <eos>"))
    assert not task.check(prompt, np.array([], dtype=np.int64))
    assert task.question(prompt).depth == 2
    twice = Brevo(n_max=5, accepts_duplicates=True)
    assert twice.check(prompt, ids(task, "e1 e4 e4 e3 e5 <eos>"))
    assert not twice.check(prompt, ids(task, "e1 e4 e5 e3 e5 <eos>"))
    released = Brevo(n_max=5, has_own_eos=False)
    prompt = ids(released, "bos e1 e2 <query> e2 <ans>")
    assert released.check(prompt, ids(released, "e1 e2 <ans>"))
    assert not released.check(prompt, ids(released, "e1 e2"))


# Means and standard deviations of edges and answer, shares of depths and of out-degrees 0 to 4.
DEGREES_70, DEGREES_30 = (0.220, 0.181, 0.149, 0.122, 0.328), (0.226, 0.186, 0.154, 0.127, 0.307)
PUBLISHED = [
    (
        {"n_max": 30, "queried": QUARTER, **BREVO_2},
        (63.14, 7.46, 14.67, 5.35),
        (0.177, 0.443, 0.284, 0.085, 0.010, 0.001),
        DEGREES_30,
    ),
    (
        {"n_max": 30, **BREVO_2},
        (63.13, 7.47, 16.40, 5.69),
        (0.131, 0.431, 0.312, 0.110, 0.016, 0.001),
        DEGREES_30,
    ),
    (
        {"n_max": 70, "queried": QUARTER},
        (150.96, 15.24, 25.57, 11.23),
        (0.153, 0.401, 0.268, 0.128, 0.042, 0.007),
        DEGREES_70,
    ),
    (
        {"n_max": 70},
        (150.95, 15.28, 28.95, 12.05),
        (0.113, 0.386, 0.291, 0.145, 0.053, 0.010),
        DEGREES_70,
    ),
]


@pytest.mark.parametrize(
    ("case", "n"),
    [(PUBLISHED[0], 600), *(pytest.param(c, 4000, marks=pytest.mark.slow) for c in PUBLISHED)],
)
def test_graphs_have_the_published_statistics(case, n):
    values, (edges, edges_sd, answer, answer_sd), depths, degrees = case
    task = Brevo(**values)
    documents = task.sample(np.random.default_rng(2), n, size=task.n_max)
    found, n_children = [], np.zeros(5)
    for text in np.split(documents.tokens, documents.starts[1:-1]):
        end = int((text == task.mark("<ans>")).argmax()) + 1
        question = task.question(text[:end])
        assert task.check(text[:end], text[end:])
        children = Counter(p for parents in question.parents.values() for p in parents)
        n_children += np.bincount([*children.values()], minlength=5)
        n_children[0] += task.n_max - len(children)
        found.append((sum(children.values()), len(question.answer), question.depth))
    n_edges, n_answer, depth = np.array(found).T
    assert n_edges.mean() == pytest.approx(edges, abs=4 * edges_sd / n**0.5)
    assert n_answer.mean() == pytest.approx(answer, abs=4 * answer_sd / n**0.5)
    assert n_answer.std() == pytest.approx(answer_sd, rel=0.1)
    expected = np.array([*depths[:4], 1 - sum(depths[:4])])
    observed = [*((depth == d).sum() for d in (1, 2, 3, 4)), (depth > 4).sum()]
    assert chisquare(observed, n * expected).pvalue > 1e-3
    assert n_children / n_children.sum() == pytest.approx(degrees, abs=0.006)


def test_orders_follow_the_law_of_removing_a_random_vertex_without_children():
    """The place of each answer among all, sorted by distances from the query, is uniform."""
    task, rng, places = Brevo(n_max=7), np.random.default_rng(3), []
    for text in drawn(task, 800, size=7):
        graph, query, answer = parsed(text)
        inner = graph.subgraph(nx.ancestors(graph, query) | {query})
        distance = nx.shortest_path_length(inner, target=query)
        law = Counter()  # of what is the same whatever the names are
        for order, p in removals(inner).items():
            law[tuple(distance[v] for v in order)] += p
        assert sum(law.values()) == pytest.approx(1)
        own = tuple(distance[v] for v in answer)
        below = sum(p for kind, p in law.items() if kind < own)
        places.append(below + rng.random() * law[own])
    observed = np.histogram(places, bins=10, range=(0, 1))[0]
    assert chisquare(observed).pvalue > 1e-3


def removals(graph):
    """The probability of each order that random removals leave, backwards."""
    children = {v: frozenset(graph.successors(v)) for v in graph}

    @cache
    def law(left):
        if not left:
            return {(): 1.0}
        free = [v for v in left if not children[v] & left]
        found = Counter()
        for v in free:
            for order, p in law(left - {v}).items():
                found[(*order, v)] += p / len(free)
        return found

    return law(frozenset(graph))


def test_a_fixed_size_gives_the_law_of_sources():
    """Vertices without parents that have children, and how often there can be one more."""
    for rounding, most in ((Rounding.down, 2), (Rounding.up, 3)):
        task = Brevo(n_max=6, sources=rounding)
        n_sources = [
            sum(d == 0 for _, d in parsed(text)[0].in_degree) for text in drawn(task, 400, size=6)
        ]
        assert max(n_sources) == most


def test_names_are_without_replacement_and_symbols_uniform():
    task = Brevo(n_max=8)
    counts = Counter()
    for text in drawn(task, 1500, size=3):
        graph, query, _ = parsed(text)
        assert len(graph) == 3
        counts[query] += 1
    assert chisquare([counts[f"e{i}"] for i in range(1, 9)]).pvalue > 1e-3


def test_vocabulary_marks_and_targets():
    assert Brevo(n_max=70).vocabulary.size == 70 + 4
    assert Brevo(n_max=70, has_own_eos=False).vocabulary.size == 70 + 3
    assert Brevo(n_max=30, **BREVO_2).vocabulary.size == 8 + 4
    task = Brevo(n_max=9)
    documents = task.sample(np.random.default_rng(0), 30)
    for text, marks in zip(
        texts(task, documents), np.split(documents.is_target, documents.starts[1:-1]), strict=True
    ):
        ans = text.index("<ans>")
        assert not marks[:ans].any()
        assert marks[ans:].all()
        assert text[-1] == "<eos>"


def test_longer_documents_than_a_window_are_drawn_again():
    task = Brevo(n_max=12, **BREVO_2)
    free = task.sample(np.random.default_rng(0), 300)
    most = int(np.quantile(np.diff(free.starts), 0.5))
    short = Brevo(n_max=12, **BREVO_2, most_tokens=most).sample(np.random.default_rng(0), 300)
    assert np.diff(short.starts).max() <= most
    lengths, kept = np.diff(free.starts), np.diff(free.starts) <= most
    assert (np.diff(short.starts)[kept] == lengths[kept]).all()
    with pytest.raises(ValueError, match="seq_len; raise it"):
        Brevo(n_max=12, most_tokens=8).sample(np.random.default_rng(0), 1, size=12)
    with pytest.raises(ValueError, match="seq_len=100 is too short"):
        BrevoConfig(seq_len=100)
    assert BrevoConfig(n_max=110).task.most_tokens == 1025
