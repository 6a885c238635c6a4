"""Learning rates are selected without the runs that are then compared."""

import polars as pl
import pytest

from physlm.errors import InputError
from physlm.stats.model_selection import best_of
from tests.report.decided import claim, decided


def rates():
    """Runs of two kinds at two rates: the better validation loss goes with the worse score."""
    rows = [
        {
            "data.exposures": e,
            "optim.learning_rate": rate,
            "seed": seed,
            "scale": "laptop",
            "status": "finished",
            "bits": bits + seed / 100,
            "loss": loss + seed / 10,
        }
        for e, rate, bits, loss in (
            (1000, 0.1, 2.0, 1.0),
            (1000, 0.2, 3.0, 2.0),
            (100, 0.1, 1.0, 4.0),
            (100, 0.2, 0.5, 3.0),
        )
        for seed in range(3)
    ]
    return pl.DataFrame(rows)


def test_the_best_rate_is_chosen_by_validation_loss_for_each_group():
    best = {"over": "optim.learning_rate", "by": "loss"}
    assert decided(claim(best_of=best), rates()).value == pytest.approx(2.01)
    chosen = decided(claim(best_of=best, compared_to={"data.exposures": 100}), rates())
    assert chosen.value == pytest.approx(2.0 - 0.5)
    with pytest.raises(InputError, match="optim.learning_rate varies among its runs"):
        decided(claim(), rates())


def test_the_rate_of_a_seed_is_chosen_in_the_others():
    """At 0.2 seed 0 has by far the least loss, which counts for the others and not for itself."""
    is_lucky = (pl.col("seed") == 0) & (pl.col("optim.learning_rate") == 0.2)
    table = rates().filter(pl.col("data.exposures") == 1000)
    table = table.with_columns(pl.when(is_lucky).then(-5.0).otherwise(pl.col("loss")).alias("loss"))
    chosen = best_of(table, over="optim.learning_rate", by="loss")
    assert chosen.select("seed", "optim.learning_rate").rows() == [(0, 0.1), (1, 0.2), (2, 0.2)]
    best = {"over": "optim.learning_rate", "by": "loss"}
    assert decided(claim(best_of=best), table).value == pytest.approx((2.0 + 3.01 + 3.02) / 3)


def test_runs_without_the_metric_are_not_chosen_from():
    table = rates().with_columns(
        pl.when(pl.col("seed") == 1).then(None).otherwise(1.0).alias("loss")
    )
    with pytest.raises(InputError, match="runs without loss, so that no optim.learning_rate"):
        best_of(table, over="optim.learning_rate", by="loss")


def test_a_rate_with_fewer_seeds_is_not_chosen_from():
    best = {"over": "optim.learning_rate", "by": "loss"}
    with pytest.raises(InputError, match="not every optim.learning_rate has one finished run"):
        decided(claim(best_of=best), rates()[1:])
