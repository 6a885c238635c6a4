"""The comparison of architectures, against values computed by hand."""

import polars as pl
import pytest

from physlm.errors import InputError
from physlm.report.architectures import caveats, compared_architectures
from physlm.report.figures.architectures import draw_architectures
from physlm.report.results import Results

ACCURACY, LOSS = "task/accuracy", "task/loss_nats"


def results(*runs: tuple[str, int, float, float, float], **columns: object) -> Results:
    """Runs given by label, seed, learning rate, accuracy and loss."""
    table = pl.DataFrame(
        [
            {
                "run_id": f"{i}",
                "experiment": "depo",
                "label": label,
                "seed": seed,
                "status": "finished",
                "optim.learning_rate": rate,
                "tokens_per_second": 100.0,
                "parameters.total": 1000,
                "parameters.embedding": 100,
            }
            for i, (label, seed, rate, _, _) in enumerate(runs)
        ]
    ).with_columns(**{name: pl.Series(values) for name, values in columns.items()})  # type: ignore[arg-type]
    metrics = [
        {"run_id": f"{i}", "metric": name, "dims": "k=1", "value": value, "stderr": None, "n": 10}
        for i, (_, _, _, accuracy, loss) in enumerate(runs)
        for name, value in ((ACCURACY, accuracy), (LOSS, loss))
    ]
    return Results.of(table, metrics)


def test_a_rate_is_chosen_by_the_loss_of_other_seeds() -> None:
    found = compared_architectures(
        results(
            ("rope", 0, 0.1, 0.9, 3.0),
            ("rope", 0, 0.2, 0.1, 1.0),
            ("rope", 1, 0.1, 0.8, 2.0),
            ("rope", 1, 0.2, 0.2, 4.0),
        )
    )
    # Seed 0 takes the rate that is best in seed 1, 0.1; seed 1 that of seed 0, 0.2.
    assert found.select("experiment", "label", "n", "learning_rate").rows() == [
        ("depo", "rope", 2, "0.1 or 0.2")
    ]
    assert found["mean"][0] == pytest.approx(0.55)
    assert found["stderr"][0] == pytest.approx(0.35)


def test_architectures_are_in_alphabetical_order_and_unlabelled_runs_are_left_out() -> None:
    found = compared_architectures(
        results(
            ("rope", 0, 0.1, 0.2, 1.0),
            ("", 0, 0.1, 0.3, 1.0),
            ("gla", 0, 0.1, 0.4, 1.0),
            ("alibi", 0, 0.1, 0.5, 1.0),
        )
    )
    assert found.select("label", "mean", "stderr").rows() == [
        ("alibi", 0.5, None),
        ("gla", 0.4, None),
        ("rope", 0.2, None),
    ]


def test_tokens_are_those_at_which_the_threshold_is_first_reached() -> None:
    runs = [("rope", seed, 0.1, 0.9, 1.0) for seed in range(3)]
    points = [("0", 10, 0.4), ("0", 20, 0.5), ("0", 30, 0.4), ("0", 40, 0.9), ("1", 40, 0.6)]
    curves = pl.DataFrame(
        [
            {"run_id": i, "metric": ACCURACY, "dims": "k=1", "tokens": float(t), "value": v}
            for i, t, v in [*points, ("2", 40, 0.1)]
        ]
    )
    found = compared_architectures(results(*runs), curves)
    assert found.select("tokens", "n_reached", "n").row(0) == (30.0, 2, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (results(("", 0, 0.1, 0.5, 1.0)), "no finished run has a label"),
        (
            results(
                ("rope", 0, 0.1, 0.5, 1.0), ("rope", 1, 0.1, 0.5, 1.0), **{"model.n_layers": [2, 4]}
            ),
            "label=rope differ in model.n_layers",
        ),
        (
            results(("rope", 0, 0.1, 0.5, 1.0), ("rope", 0, 0.2, 0.5, 1.0)),
            "label=rope: not every optim.learning_rate",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(given: Results, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compared_architectures(given)


def test_the_heat_map_shows_every_cell() -> None:
    runs = [(label, seed, 0.1, 0.2 + seed, 1.0) for label in ("rope", "gla") for seed in (0, 1)]
    figure = draw_architectures(compared_architectures(results(*runs)))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.700 ± 0.500"] * 2
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["gla", "rope"]


def test_a_metric_without_curves_has_no_time_at_which_it_was_reached() -> None:
    curves = pl.DataFrame(
        [{"run_id": "0", "metric": LOSS, "dims": "k=1", "tokens": 10.0, "value": 0.4}]
    )
    found = compared_architectures(results(("rope", 0, 0.1, 0.9, 1.0)), curves)
    assert found.select("tokens", "n_reached").row(0) == (None, None)


def test_a_fair_comparison_has_no_caveats() -> None:
    runs = [(label, seed, 0.1, 0.5, 1.0) for label in ("rope", "gla") for seed in (0, 1)]
    assert caveats(results(*runs)) == []


def test_what_is_unfair_or_left_out_is_said() -> None:
    runs = [("gla", 0, 0.1, 0.5, 1.0), ("rope", 1, 0.2, 0.5, 1.0), ("", 0, 0.1, 0.5, 1.0)]
    given = results(
        *runs,
        ("nope", 0, 0.1, 0.5, 1.0),
        **{
            "parameters.total": [1000, 1010, 1000, 1000],
            "data.n_max": [12, 5, 12, 12],
            "status": ["finished", "finished", "finished", "diverged"],
        },
    )
    assert caveats(given) == [
        "runs without a label, left out: 1",
        "runs that are not finished, left out: 1 of nope",
        "depo: rope and gla differ in seed, optim.learning_rate, data.n_max",
        "depo: rope and gla differ in size: 910 against 900 parameters",
    ]
