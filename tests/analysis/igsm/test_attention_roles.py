"""Roles of tokens, against regular expressions over the text of documents."""

import numpy as np
import pytest

from physlm.analysis.igsm.attention_roles import ORIGINS, ROLES, SOURCES, predictions_of
from physlm.data.tasks.igsm import Igsm, Layout
from tests.analysis.igsm.attention_oracle import predictions

TASKS = [Igsm(op_max=7, ip_max=12), Igsm(op_max=7, ip_max=12, layout=Layout.qp, retry_rate=0.3)]


@pytest.mark.parametrize("task", TASKS)
def test_every_prediction_and_role_is_that_of_the_text(task):
    problems = task.sample(np.random.default_rng(1), 25, op=7)
    seen = set()
    for document in np.split(problems.tokens, problems.starts[1:-1]):
        found = {
            (own.origin, own.at): {
                role: set(np.flatnonzero(own.roles == number).tolist())
                for number, role in enumerate(ROLES)
            }
            for own in predictions_of(document)
        }
        expected = {(kind, at): roles for kind, at, roles in predictions(document)}
        assert found.keys() == expected.keys()
        for prediction, roles in expected.items():
            own = found[prediction]
            others = own.pop("other")
            assert {role: places for role, places in own.items() if places} == {
                role: places for role, places in roles.items() if places
            }
            # Every token up to the current one has one role.
            assert others | set().union(*own.values()) == set(range(prediction[1] + 1))
            seen |= {(prediction[0], role) for role, places in roles.items() if places}
    assert {origin for origin, _ in seen} == set(ORIGINS)
    assert set(SOURCES.items()) <= seen
    assert {role for _, role in seen} == set(ROLES) - {"other"}
