"""Summaries of rows, against loops over predictions and documents."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from physlm.analysis.depth.depth_means import by_state, depth_means, state_means, with_depth
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.rank_curve import THRESHOLDS, rank_curve
from physlm.errors import InputError
from tests.analysis.depth.frames import rows_of


def random_rows(n=60, n_states=5, n_documents=7, seed=0):
    rng = np.random.default_rng(seed)
    top1 = rng.integers(0, 3, (n, n_states))
    rank = np.where(top1 == top1[:, -1:], 1, rng.integers(2, 40, top1.shape))
    return rows_of(
        top1,
        document=rng.integers(0, n_documents, n),
        final_rank=rank,
        target=rng.integers(0, 3, n),
        target_rank=rng.integers(1, 60, top1.shape),
        kl_nats=rng.random(top1.shape),
        group=np.array(["a", "b"])[rng.integers(0, 2, n)],
    )


def mean_and_error(pairs):
    """Mean over documents of their means, and its standard error, by loops."""
    documents = {}
    for document, value in pairs:
        documents.setdefault(document, []).append(value)
    means = [np.mean(values) for values in documents.values()]
    return np.mean(means), np.std(means, ddof=1) / np.sqrt(len(means)), len(means)


def test_means_weigh_documents_equally_and_err_over_documents():
    rows = random_rows()
    found = document_means(with_depth(rows), ["onset"], ["group"])
    for group in "ab":
        own = with_depth(rows).filter(group=group)
        value, error, n = mean_and_error(zip(own["document"], own["onset"], strict=True))
        row = found.row(by_predicate=pl.col("group") == group, named=True)
        assert row["value"] == pytest.approx(value)
        assert row["stderr"] == pytest.approx(error)
        assert (row["n_documents"], row["n"]) == (n, len(own))


def test_one_document_has_no_standard_error_and_nulls_do_not_count():
    rows = pl.DataFrame({"document": [1, 1, 1], "x": [1.0, None, 2.0]})
    assert document_means(rows, ["x"]).row(0, named=True) == {
        "quantity": "x", "value": 1.5, "stderr": None, "n_documents": 1, "n": 2
    }  # fmt: skip
    with pytest.raises(InputError, match="no column y; they have document, x"):
        document_means(rows, ["y"])


def test_onset_and_settled_are_those_of_a_loop():
    rows = random_rows(200)
    for row in with_depth(rows).iter_rows(named=True):
        agrees = [token == row["final"] for token in row["top1"]]
        assert row["onset"] == next(k for k, r in enumerate(row["final_rank"]) if r == 1)
        assert row["settled"] == next(k for k in range(5) if all(agrees[k:]))
        assert row["flickers"] == (row["settled"] > row["onset"])
        assert row["settled_fraction"] == pytest.approx(row["settled"] / 4)


def test_depth_is_counted_in_blocks_when_states_are_chosen():
    rows = rows_of([[1, 2, 2], [2, 1, 2]], states=[0, 3, 8])
    found = with_depth(rows)
    assert found["onset"].to_list() == [3, 0]
    assert found["settled"].to_list() == [3, 8]
    assert found["settled_fraction"].to_list() == [3 / 8, 1.0]
    means = {row["quantity"]: row["value"] for row in depth_means(rows).iter_rows(named=True)}
    assert means == pytest.approx(
        {"onset": 1.5, "settled": 5.5, "flickers": 0.5, "onset_fraction": 1.5 / 8}
        | {"settled_fraction": 5.5 / 8}
    )


def test_means_by_state_are_those_of_loops():
    rows = random_rows()
    found = state_means(rows)
    for k in range(5):
        for quantity, of in {
            "agreement": lambda row, k=k: row["top1"][k] == row["final"],
            "accuracy": lambda row, k=k: row["top1"][k] == row["target"],
            "reciprocal_target_rank": lambda row, k=k: 1 / row["target_rank"][k],
            "kl_nats": lambda row, k=k: row["kl_nats"][k],
        }.items():
            value, error, _ = mean_and_error(
                (row["document"], of(row)) for row in rows.iter_rows(named=True)
            )
            row = found.row(
                by_predicate=(pl.col("state") == k) & (pl.col("quantity") == quantity), named=True
            )
            assert row["value"] == pytest.approx(value)
            assert row["stderr"] == pytest.approx(error)


def test_a_row_of_arrays_becomes_a_row_per_state():
    rows = random_rows(3)
    long = by_state(rows)
    assert long.filter(state=2)["kl_nats"].to_list() == [kl[2] for kl in rows["kl_nats"].to_list()]


@pytest.mark.parametrize("of", ["final", "target"])
def test_rank_curves_are_those_of_loops(of):
    rows = random_rows(400)
    found = rank_curve(rows, of, ["group"], np.array([1, 3, 17]))
    assert len(found) == 2 * 3 * 3
    for row in found.iter_rows(named=True):
        pairs = []
        for own in rows.filter(group=row["group"]).iter_rows(named=True):
            reached = [k for k, r in enumerate(own[f"{of}_rank"]) if r <= row["threshold"]]
            value = {
                "first_state": reached[0] if reached else None,
                "first_state_or_last": reached[0] if reached else 4,
                "never_reached": not reached,
            }[row["quantity"]]
            if value is not None:
                pairs.append((own["document"], float(value)))
        value, error, _ = mean_and_error(pairs)
        assert row["value"] == pytest.approx(value)
        assert row["stderr"] == pytest.approx(error)
        assert row["deviation"] == pytest.approx(np.std([v for _, v in pairs], ddof=1))
        assert row["n"] == len(pairs)


def test_the_final_token_always_reaches_every_rank():
    found = rank_curve(random_rows(), "final")
    assert found["threshold"].unique().sort().to_list() == THRESHOLDS.tolist()
    never = found.filter(quantity="never_reached")
    assert (never["value"] == 0).all()
    counted = [found.filter(quantity=q)["value"] for q in ("first_state", "first_state_or_last")]
    assert_frame_equal(counted[0].to_frame(), counted[1].to_frame())
