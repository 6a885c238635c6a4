"""Queries are what the tasks say, with the true classes, at the right places."""

from collections import Counter

import networkx
import numpy as np
import pytest
from scipy.stats import chisquare

from physlm.analysis.igsm.probe_predictions import problem_sets
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import LONGEST_QUERY, drawn_queries, every_query, queries_of
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.data.tasks.igsm import Igsm, Layout
from physlm.data.tasks.igsm.language import words_of
from physlm.data.tasks.igsm.template import FIRST_TEST_BIN, bin_of
from tests.analysis.igsm.brute_force import Reading


def solved(n, layout=Layout.pq, **options):
    task = Igsm(op_max=6, ip_max=8, layout=layout, **options)
    return problem_sets(task, 0, longer_op=8, n_train=n, n_test=2).train


def readings(queries):
    rows = zip(queries.inputs.tokens, queries.inputs.places[:, 0], strict=True)
    return [Reading(tokens[: place + 1]) for tokens, place in rows]


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("task", list(ProbeTask))
def test_every_class_is_that_of_the_text(task, layout):
    problems = solved(8, layout)
    queries = queries_of(task, problems, [list(every_query(task, own)) for own in problems])
    classes = queries.inputs.classes.tolist()
    assert classes == [reading.label(task.value) for reading in readings(queries)]
    assert len(set(classes)) >= 2


@pytest.mark.parametrize("layout", list(Layout))
def test_texts_are_cut_where_the_tasks_are_read(layout):
    problems = solved(6, layout)
    for task in ProbeTask:
        queries = queries_of(task, problems, [list(every_query(task, own)) for own in problems])
        for query, number, reading in zip(
            queries.queries, queries.problems, readings(queries), strict=True
        ):
            own = problems[number]
            assert reading.names == [x.name for x in (query.parameter, query.other) if x]
            assert reading.rest == ""
            assert len(reading.rules) == len(own.problem.rules)
            assert (reading.query is None) == (task is ProbeTask.dep)
            assert reading.has_solution == task.is_in_solution
            assert len(reading.defined) == query.n_sentences
            ends = {ProbeTask.nece: ".?", ProbeTask.dep: "."}.get(task, ".>")
            assert reading.before.strip()[-1] in ends
            if task is ProbeTask.dep:
                assert query.parameter != query.other


def test_all_parameters_of_the_graph_are_asked_about_at_all_places():
    for own in solved(20):
        items = {item for p in own.problem.rules for item in (p.owner, p.owned)}
        items |= {x.owner for x in own.problem.values}
        layers = {item: own.problem.world.items[item].layer for item in items}
        n = len(own.problem.rules) + sum(max(layers.values()) - layer for layer in layers.values())
        assert len(set(every_query(ProbeTask.nece, own))) == n
        assert len(set(every_query(ProbeTask.dep, own))) == n * (n - 1)
        assert len(set(every_query(ProbeTask.known, own))) == n * (own.n_sentences + 1)


def test_draws_are_uniform_and_none_comes_twice():
    problem = solved(1)[0]
    every = list(every_query(ProbeTask.can_next, problem))
    rng, counts = np.random.default_rng(0), Counter()
    for _ in range(300):
        own = drawn_queries(ProbeTask.can_next, [problem], rng, 7, is_balanced=False).queries
        assert len(set(own)) == len(own) == 7
        counts.update(own)
    assert chisquare([counts[query] for query in every]).pvalue > 1e-3
    few = drawn_queries(ProbeTask.nece, [problem], rng, 10_000, is_balanced=False)
    assert set(few.queries) == set(every_query(ProbeTask.nece, problem))


def test_balanced_draws_have_as_many_true_as_false_of_each_problem():
    problems = solved(30)
    rng = np.random.default_rng(0)
    queries = drawn_queries(ProbeTask.nece_next, problems, rng, 10, is_balanced=True)
    for number in range(30):
        classes = queries.inputs.classes[queries.problems == number]
        assert classes.sum() * 2 == len(classes) <= 10
    assert len(queries.queries) > 90


def test_distances_are_shortest_paths_of_the_dependency_graph():
    longest = 0
    for own in solved(30):
        graph = networkx.DiGraph(
            [(a, b) for a, parents in own.problem.dependencies.items() for b in parents]
        )
        graph.add_node(own.problem.query)
        lengths = networkx.single_source_shortest_path_length(graph, own.problem.query)
        assert own.distances == dict(lengths)
        longest = max(longest, *own.distances.values())
    assert longest >= 3


def test_no_description_is_longer_than_the_room_that_is_kept_for_it():
    for own in solved(5):
        queries = queries_of(ProbeTask.dep, [own], [list(every_query(ProbeTask.dep, own))])
        rooms = queries.inputs.places[:, 0] + 1 - len(own.unasked)
        assert 9 <= rooms.max() <= LONGEST_QUERY


def test_sets_have_templates_and_operations_of_their_own():
    task = Igsm(op_max=3, ip_max=6)
    sets = problem_sets(task, 0, longer_op=5, n_train=40, n_test=40)

    def bins(problems):
        clean = (own.problem.solution.split(" <answer>")[0] for own in problems)
        return {bin_of(words_of(solution)) for solution in clean}

    assert max(bins([*sets.train, *sets.test["known_templates"]])) < FIRST_TEST_BIN
    assert min(bins([*sets.test["trained"], *sets.test["longer"]])) >= FIRST_TEST_BIN
    n_operations = {
        name: {own.problem.solution.count(";") for own in problems}
        for name, problems in sets.test.items()
    }
    assert n_operations == {"trained": {1, 2, 3}, "known_templates": {1, 2, 3}, "longer": {5}}
    texts = [{own.problem.text for own in x} for x in (sets.train, sets.test["known_templates"])]
    assert not set.intersection(*texts)


def test_a_solution_that_a_model_wrote_is_read_up_to_what_does_not_parse():
    (own,) = solved(1)
    text = own.tokens[: len(own.up_to(1))]
    assert SolvedProblem(text).n_sentences == 1
    cut = SolvedProblem(own.tokens[: len(own.up_to(1)) + 3])
    assert cut.n_sentences == 1
    assert len(cut.defined) == 1
