"""Early exit from traced rows, against loops over predictions."""

import numpy as np
import polars as pl
import pytest

from physlm.analysis.depth.early_exit import (
    best_threshold,
    dynamic_exit,
    is_calibrated_on,
    static_exit,
    thresholds,
)
from physlm.analysis.depth.exit_rule import ExitCriterion
from physlm.errors import InputError
from tests.analysis.depth.frames import rows_of


def random_rows(n=120, n_states=5):
    rng = np.random.default_rng(0)
    top1 = rng.integers(0, 3, (n, n_states))
    loss = rng.random((n, n_states)).astype(np.float32)
    rows = rows_of(
        top1,
        document=np.arange(n),
        target=rng.integers(0, 3, n),
        top1_probability=np.sort(rng.random((n, n_states)), axis=1),
        entropy_nats=rng.random((n, n_states)),
        target_loss_nats=loss,
    )
    # One prediction has no target.
    return rows.with_columns(
        pl.when(pl.col("document") > 0).then("target").alias("target"),
        pl.Series("target_loss_nats", loss.ravel())
        .set(pl.Series(np.repeat(np.arange(n) == 0, n_states)), None)
        .reshape((n, n_states)),
    )


def first_sure(row, criterion, threshold):
    for k in range(5):
        is_sure = {
            "probability": row["top1_probability"][k] >= threshold,
            "entropy": row["entropy_nats"][k] <= threshold,
            "repeat": k + 1 >= threshold and len(set(row["top1"][k + 1 - threshold : k + 1])) == 1
            if criterion == "repeat"
            else False,
        }[criterion]
        if is_sure:
            return k
    return 4


def expected(rows, states):
    found = {"agreement": [], "accuracy": [], "loss_change_nats": [], "blocks": []}
    for row, k in zip(rows.iter_rows(named=True), states, strict=True):
        found["agreement"].append(row["top1"][k] == row["final"])
        found["blocks"].append(k)
        if row["target"] is not None:
            found["accuracy"].append(row["top1"][k] == row["target"])
            loss = row["target_loss_nats"]
            found["loss_change_nats"].append(loss[k] - loss[-1])
    means = {name: np.mean(values) for name, values in found.items()}
    return means | {"blocks_saved": 4 - means["blocks"]}


def values(curve):
    return dict(zip(curve["quantity"], curve["value"], strict=True))


@pytest.mark.parametrize(
    ("criterion", "thresholds"),
    [("probability", [0.3, 0.6, 1.1]), ("entropy", [0.1, 0.5, -1.0]), ("repeat", [1, 2, 3])],
)
def test_each_prediction_leaves_at_its_first_sure_state(criterion, thresholds):
    rows = random_rows()
    curve = dynamic_exit(rows, thresholds, criterion)
    for threshold in thresholds:
        states = [first_sure(row, criterion, threshold) for row in rows.iter_rows(named=True)]
        found = values(curve.filter(threshold=threshold))
        assert found == pytest.approx(expected(rows, states), abs=1e-6)


def test_all_predictions_leave_at_one_state():
    rows = random_rows()
    curve = static_exit(rows)
    for k in range(5):
        found = values(curve.filter(state=k))
        assert found == pytest.approx(expected(rows, [k] * len(rows)), abs=1e-6)


def test_the_last_state_saves_nothing_and_loses_nothing():
    rows = random_rows()
    never = dynamic_exit(rows, [2.0])
    assert values(never) == pytest.approx(values(static_exit(rows).filter(state=4)))
    assert values(never)["agreement"] == 1
    assert values(never)["blocks_saved"] == 0


def test_the_best_threshold_saves_most_blocks_where_predictions_agree():
    curve = pl.DataFrame(
        {
            "threshold": [0.2, 0.2, 0.5, 0.5, 0.9, 0.9],
            "quantity": ["agreement", "blocks_saved"] * 3,
            "value": [0.5, 4.0, 0.99, 2.5, 1.0, 1.0],
        }
    )
    assert best_threshold(curve) == 0.5
    assert best_threshold(curve, 0.995) == 0.9
    assert best_threshold(curve, 0.1) == 0.2


@pytest.mark.parametrize("criterion", list(ExitCriterion))
def test_thresholds_reach_from_always_to_never(criterion):
    tried = thresholds(criterion, 4, 50)
    curve = dynamic_exit(random_rows(), [tried[0], tried[-1]], criterion)
    blocks = dict(curve.filter(quantity="blocks").select("threshold", "value").iter_rows())
    assert blocks == {tried[0]: 0, tried[-1]: 4}


def test_halves_divide_documents_not_rows():
    documents = np.repeat(np.arange(7), 3)
    is_in = is_calibrated_on(documents)
    assert is_in.sum() == 9
    assert len(set(documents[is_in]) & set(documents[~is_in])) == 0


def test_an_unknown_criterion_is_refused():
    with pytest.raises(InputError, match="'margin' is not a valid ExitCriterion"):
        dynamic_exit(random_rows(), [0.5], "margin")
