"""The rule on names against counts over the names as they are written."""

from collections import defaultdict

import numpy as np
import pytest

from physlm.analysis.igsm.name_rule import NameRule
from physlm.analysis.igsm.probe_predictions import problem_sets
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import drawn_queries
from physlm.data.tasks.igsm import IgsmConfig

TASK = IgsmConfig(op_max=4, ip_max=8, seq_len=300).build(0).task
SETS = problem_sets(TASK, 0, longer_op=5, n_train=300, n_test=100)


def asked(task, problems):
    return drawn_queries(task, problems, np.random.default_rng(0), 10, is_balanced=True)


def written_relation(task, queries, problems, i):
    """Which words of the two names are the same, and which levels they have."""
    query, question = queries.queries[i], problems[queries.problems[i]].problem.query
    pair = (question, query.parameter) if task is ProbeTask.nece else query[1:]
    (owner, owned), (other_owner, other_owned) = (p.name.split("'s ") for p in pair)
    same = (owner == other_owner, owned == other_owned, owned == other_owner, owner == other_owned)
    return *same, *(p.level for p in pair)


@pytest.mark.parametrize("task", [ProbeTask.nece, ProbeTask.dep])
def test_the_most_common_class_of_each_relation_is_predicted(task):
    train, test = asked(task, SETS.train), asked(task, SETS.test["trained"])
    classes = defaultdict(list)
    for i, own in enumerate(train.inputs.classes):
        classes[written_relation(task, train, SETS.train, i)].append(own)
    found = NameRule(train, SETS.train).predictions(test, SETS.test["trained"])
    for i, own in enumerate(found):
        seen = classes[written_relation(task, test, SETS.test["trained"], i)]
        if np.mean(seen or [0]) != 0.5:
            assert own == (np.mean(seen or [0]) > 0.5)
    # Names tell much: the question itself is needed, and totals depend on their parts.
    assert (found == test.inputs.classes).mean() > 0.65
    if task is ProbeTask.nece:
        assert found[test.distances == 0].all()


def test_a_relation_that_training_lacks_is_taken_to_be_false():
    train, test = (asked(ProbeTask.dep, own) for own in (SETS.train[:1], SETS.train))
    seen = {
        written_relation(ProbeTask.dep, train, SETS.train, i) for i in range(len(train.queries))
    }
    found = NameRule(train, SETS.train[:1]).predictions(test, SETS.train)
    is_new = [
        written_relation(ProbeTask.dep, test, SETS.train, i) not in seen for i in range(len(found))
    ]
    assert any(is_new)
    assert not found[is_new].any()
