"""Claims are decided by the intervals of their runs, compared with scipy."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from physlm.errors import InputError
from physlm.stats.intervals import compared, mean_interval, projected_interval
from tests.report.decided import FOLLOWS, RESULTS, VALUES, claim, decided, of_values, paired


def test_a_mean_has_students_interval():
    verdict = decided(claim(), RESULTS)
    half = stats.t.ppf(0.975, df=2) * np.std(VALUES[1000], ddof=1) / np.sqrt(3)
    assert (verdict.value, verdict.n) == (pytest.approx(1.95), 3)
    assert (verdict.low, verdict.high) == pytest.approx((1.95 - half, 1.95 + half))


@pytest.mark.parametrize(
    ("expect", "word"),
    [
        ({"at_least": 1.8}, "holds"),
        ({"at_least": 1.9}, "undecided"),
        ({"at_least": 2.5}, "does not hold"),
        ({"at_most": 1.5}, "does not hold"),
        ({"at_least": 1.5, "at_most": 2.3}, "holds"),
    ],
)
def test_a_claim_is_decided_only_if_the_whole_interval_is_on_one_side(expect, word):
    assert decided(claim(expect=expect), RESULTS).word == word


def test_null_selects_the_runs_without_a_value():
    rows = RESULTS.filter(pl.col("data.exposures") != 10)
    of_100 = pl.when(pl.col("data.exposures") == 100)
    rows = rows.with_columns(of_100.then(pl.lit("<|useful|>")).alias("token"))
    without = decided(claim(select={"token": None}), rows)
    assert without.value == pytest.approx(np.mean(VALUES[1000]))
    marked = decided(claim(select={"token": "<|useful|>"}), rows)
    assert marked.value == pytest.approx(np.mean(VALUES[100]))


def test_rank_correlations_are_computed_seed_by_seed():
    alike = decided(claim(**FOLLOWS), paired([[1, 2, 3], [3, 1, 2]], [[5, 6, 9], [9, 0, 2]]))
    assert (alike.value, alike.word, alike.n) == (1.0, "holds", 2)
    swapped = decided(claim(**FOLLOWS), paired([[1, 2, 3], [3, 1, 2]], [[6, 5, 9], [9, 0, 2]]))
    assert swapped.value == pytest.approx((0.5 + 1) / 2)
    assert swapped.word == "undecided"


def test_a_rank_correlation_needs_a_run_of_each_kind():
    results = paired([[1, 2, 3], [3, 1, 2]], [[5, 6, 9], [9, 0, 2]])
    with pytest.raises(InputError, match="not one run of each kind for every seed, way"):
        decided(claim(**FOLLOWS), results[:-1])
    with pytest.raises(InputError, match="not one run of each kind"):
        decided(claim(**FOLLOWS), pl.concat([results, results[:1]]))


def test_one_run_decides_nothing():
    verdict = decided(claim(select={"data.exposures": 10}, expect={"at_most": 1.0}), RESULTS)
    assert (verdict.word, verdict.low, verdict.n) == ("undecided", None, 1)
    assert verdict.n_needed is None


def test_an_undecided_mean_says_which_n_would_decide_it():
    values, n = VALUES[1000], 4
    spread = np.std(values, ddof=1)
    while 1.95 - stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n) < 1.9:
        n += 1
    assert decided(claim(expect={"at_least": 1.9}), RESULTS).n_needed == n == 7
    assert decided(claim(expect={"at_least": 1.949}), RESULTS).n_needed is None
    assert decided(claim(), RESULTS).n_needed is None


@pytest.mark.parametrize(
    ("by", "paired"), [("difference", False), ("ratio", False), ("difference", True)]
)
def test_a_projected_interval_of_as_many_values_is_the_measured_one(by, paired):
    a, b = np.array([1.9, 1.7, 2.3, 2.0]), np.array([1.0, 1.4, 1.1, 1.2])
    _, measured = compared(a, b, by, paired=paired)
    assert projected_interval(4, [a, b], by, paired=paired) == pytest.approx(measured)
    assert projected_interval(4, [a]) == pytest.approx(mean_interval(a))


def test_an_undecided_difference_says_which_n_would_decide_it():
    rule = claim(compared_to={"data.exposures": 100}, expect={"at_least": 0.75})
    n = decided(rule, RESULTS).n_needed
    # As many runs as that, with the same means and about the same variances.
    more = {e: of_same_spread(VALUES[e], n) for e in (1000, 100)}
    low, _ = stats.ttest_ind(more[1000], more[100], equal_var=False).confidence_interval()
    fewer = {e: of_same_spread(VALUES[e], n - 1) for e in (1000, 100)}
    low_of_fewer, _ = stats.ttest_ind(
        fewer[1000], fewer[100], equal_var=False
    ).confidence_interval()
    assert low_of_fewer < 0.75 <= low


def of_same_spread(values, n):
    """``n`` values with the mean and variance of others."""
    drawn = np.linspace(0, 1, n)
    return np.mean(values) + (drawn - 0.5) * np.std(values, ddof=1) / np.std(drawn, ddof=1)


def test_a_difference_has_welchs_interval():
    verdict = decided(claim(compared_to={"data.exposures": 100}, expect={"at_least": 0}), RESULTS)
    theirs = stats.ttest_ind(VALUES[1000], VALUES[100], equal_var=False).confidence_interval()
    assert (verdict.low, verdict.high) == pytest.approx((theirs.low, theirs.high))
    assert (verdict.value, verdict.word) == (pytest.approx(0.85), "holds")


def test_a_comparison_is_resampled_as_scipy_does():
    a, b = np.array([1.0, 3.0, 2.0, 7.0, 4.0]), np.array([0.5, 1.0, 1.5, 0.1, 0.9])
    for by in ("difference", "ratio"):
        values = (a, b) if by == "difference" else (np.log(a), np.log(b))
        theirs = stats.bootstrap(
            values,
            lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
            method="percentile",
            n_resamples=10_000,
            rng=np.random.default_rng(0),
        ).confidence_interval
        ends = np.array([theirs.low, theirs.high])
        found = decided(
            claim(compared_to={"data.exposures": 100}, by=by), of_values(a, b)
        ).resampled
        assert found == pytest.approx(ends if by == "difference" else np.exp(ends), rel=0.06)


@pytest.mark.parametrize("by", ["difference", "ratio"])
def test_runs_in_pairs_are_compared_seed_by_seed(by):
    a, b = np.array([1.0, 3.0, 2.0, 7.0, 4.0]), np.array([0.9, 2.8, 2.1, 6.5, 3.9])
    paired = claim(compared_to={"data.exposures": 100}, by=by, paired=True)
    found = decided(paired, of_values(a, b).sample(fraction=1, shuffle=True, seed=3))
    values = (a, b) if by == "difference" else (np.log(a), np.log(b))
    students = stats.ttest_rel(*values).confidence_interval()
    resampled = stats.bootstrap(
        values,
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    back = np.exp if by == "ratio" else np.array
    assert (found.low, found.high) == pytest.approx(back([students.low, students.high]))
    assert found.resampled == pytest.approx(back([resampled.low, resampled.high]), rel=0.06)
    assert found.value == pytest.approx(back(values[0].mean() - values[1].mean()))


def test_a_run_without_its_pair_is_refused():
    results = of_values([1.0, 1.1, 1.2], [3.0, 3.1])
    with pytest.raises(InputError, match="paired needs one run of every seed in both groups"):
        decided(claim(compared_to={"data.exposures": 100}, paired=True), results)


def test_a_comparison_is_decided_only_if_both_intervals_are_on_one_side():
    results = of_values([1.0, 1.2, 1.4], [0.7, 0.9, 1.1])
    verdict = decided(claim(compared_to={"data.exposures": 100}, expect={"at_least": 0}), results)
    assert verdict.low < 0 < verdict.resampled[0]
    assert verdict.word == "undecided"


def test_times_multiplies_the_mean_that_is_compared_with():
    results = of_values([1.0, 1.1, 1.2], [3.0, 3.1, 3.2])
    half = claim(compared_to={"data.exposures": 100}, times=0.5, expect={"at_most": 0})
    assert decided(half, results).value == pytest.approx(1.1 - 1.55)
    assert decided(half, results).word == "holds"


def test_a_ratio_of_values_that_are_not_positive_is_refused():
    results = of_values([1.0, 1.2, 1.4], [0.7, -0.1, 1.1])
    with pytest.raises(InputError, match="a ratio of values that are not above 0; use times"):
        decided(claim(compared_to={"data.exposures": 100}, by="ratio"), results)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": 0.5}, "times=0.5 needs a comparison by difference"),
        ({"paired": True}, "paired needs a comparison by compared_to"),
        ({"best_of": {"over": "seed"}}, "best_of needs over and by"),
        ({"follows": {"metric": "other"}}, "follows needs metric, select and over"),
        (
            {"follows": {"metric": "m", "select": {}, "over": "seed"}, "relative_to": "most"},
            "follows excludes",
        ),
        ({"expect": {"atleast": 1}}, "expect={'atleast': 1}; must have at_least, at_most or both"),
        ({"expect": {}}, "expect={}; must have at_least, at_most or both"),
        ({"expect": {"at_least": "two"}}, "expect={'at_least': 'two'}; bounds must be numbers"),
        ({"by": "quotient", "compared_to": {}}, "by=quotient; must be difference or ratio"),
        ({"minus": "most", "relative_to": "most"}, "minus and relative_to exclude each other"),
        ({"follows": FOLLOWS["follows"], "minus": "most"}, "follows excludes"),
        ({"published": 2}, "published=2; must be text, in quotes if it is a number"),
        ({"select": "all"}, "select=all; must be keys with values"),
        ({"scale": "large"}, "scale=large; one of laptop, workstation, gpu, paper"),
    ],
)
def test_inconsistent_rules_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        claim(**changes)


def test_a_ratio_is_of_geometric_means():
    verdict = decided(claim(compared_to={"data.exposures": 100}, by="ratio"), RESULTS)
    expected = stats.gmean(VALUES[1000]) / stats.gmean(VALUES[100])
    assert verdict.value == pytest.approx(expected)
    assert verdict.low < expected < verdict.high


def test_a_metric_relative_to_another_is_divided_run_by_run():
    verdict = decided(claim(relative_to="most", expect={"at_least": 0.9}), RESULTS)
    assert verdict.value == pytest.approx(0.975)


def test_a_metric_minus_another_is_subtracted_run_by_run():
    results = of_values([1.0, 1.5, 1.2], [0.0], most=([0.9, 1.2, 1.1], [0.0]))
    verdict = decided(claim(minus="most", expect={"at_least": 0.1}), results)
    low, high = stats.t.interval(0.95, 2, 0.5 / 3, stats.sem([0.1, 0.3, 0.1]))
    assert (verdict.value, verdict.low, verdict.high) == pytest.approx((0.5 / 3, low, high))
    assert verdict.word == "undecided"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"select": {"data.exposures": 7}}, "no run with"),
        ({"select": {"nonsense": 7}}, "no column nonsense"),
        ({"metric": "nonsense"}, "claim c: results have no metric nonsense"),
    ],
)
def test_a_claim_that_selects_nothing_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        decided(claim(**changes), RESULTS)


@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_missing_and_infinite_values_are_refused(bad):
    values = pl.Series([*RESULTS["bits"][:2], bad, *RESULTS["bits"][3:]], dtype=pl.Float64)
    with pytest.raises(InputError, match="claim c: 1 of 3 values of bits .*are not finite"):
        decided(claim(), RESULTS.with_columns(bits=values))


def test_a_correlation_with_a_constant_is_refused():
    runs = pl.DataFrame(
        {
            "seed": [0] * 6,
            "m": [1, 2, 3] * 2,
            "kind": ["a"] * 3 + ["b"] * 3,
            "x": [1.0, 2.0, 3.0, None, None, None],
            "y": [None, None, None, 5.0, 5.0, 5.0],
            "scale": "laptop",
            "status": "finished",
        }
    )
    rule = {"metric": "y", "select": {"kind": "b"}, "over": "m"}
    with pytest.raises(InputError, match="claim c: all values of a seed are equal"):
        decided(claim(metric="x", select={"kind": "a"}, follows=rule), runs)


def test_a_single_run_has_no_standard_error(tmp_path):
    verdict = decided(claim(compared_to={"data.exposures": 10}), RESULTS)
    assert verdict.groups[0][1] == pytest.approx(stats.sem(VALUES[1000]))
    assert verdict.groups[1] == (0.1, None)


def test_intervals_stay_within_the_possible_values():
    """Of a correlation beyond 1; of accuracies beyond 0 and 1, and their ratio below 0."""
    results = paired([[1, 2, 3, 4], [1, 2, 4, 3]], [[5, 6, 8, 9]] * 2)
    assert decided(claim(**FOLLOWS), results).high == 1.0
    accuracies = of_values([0.99, 0.9, 1.0], [0.0, 0.1, 0.0], other=([0.1, 0.9, 1.0], [1.0] * 3))
    accuracies = accuracies.rename({"bits": "qa/accuracy", "other": "recall/accuracy"})
    most, least = ({"data.exposures": n} for n in (1000, 100))
    of_accuracy = {"metric": "qa/accuracy"}
    assert decided(claim(**of_accuracy, select=most), accuracies).high == 1.0
    assert decided(claim(**of_accuracy, select=least), accuracies).low == 0.0
    ratio = decided(claim(**of_accuracy, select=most, relative_to="recall/accuracy"), accuracies)
    assert ratio.low == 0.0 < ratio.value < ratio.high


def test_a_value_that_is_not_positive_has_no_multiple():
    """A twentieth of -3 is above it: `20 times less` would hold of 0.1, and 0.1 is more than -3."""
    for expect in ({"at_most": 0}, {"at_least": 0}):
        rule = claim(compared_to={"data.exposures": 100}, times=0.05, expect=expect)
        verdict = decided(rule, of_values([0.1, 0.2, 0.1], [-3.0, -3.1, -3.2]))
        assert verdict.word == "undecided"
        assert verdict.why == "-3.100 is not above 0, so that it has no multiple"


def test_a_margin_below_zero_is_no_fraction():
    margins = of_values([-0.3, -0.4, -0.35], [0.0] * 3)
    margins = margins.rename({"bits": "spectra/accuracy_and_gain"})
    rule = {"metric": "spectra/accuracy_and_gain", "select": {"data.exposures": 1000}}
    verdict = decided(claim(**rule, expect={"at_least": 0}), margins)
    assert verdict.word == "does not hold"
    assert verdict.high < 0


def test_a_negative_value_is_less_than_any_fraction_of_a_positive_one():
    rule = claim(compared_to={"data.exposures": 100}, times=0.05, expect={"at_most": 0})
    assert decided(rule, of_values([-0.2, -0.1, -0.15], [3.0, 3.1, 3.2])).word == "holds"


def test_a_fraction_of_a_negative_value_is_no_ratio():
    results = of_values([-0.2, -0.1, -0.15], [1.0], most=([2.0, 2.0, 2.0], [1.0]))
    verdict = decided(claim(relative_to="most", expect={"at_most": 0.5}), results)
    assert (verdict.word, verdict.why[:22]) == ("undecided", "-0.150 is not above 0,")


def test_runs_that_differ_in_more_than_their_seed_are_not_averaged():
    tuned = RESULTS.with_columns(pl.Series("optim.learning_rate", range(len(RESULTS))))
    with pytest.raises(InputError, match="optim.learning_rate varies"):
        decided(claim(), tuned)


def test_runs_at_another_scale_and_unfinished_ones_do_not_count():
    stray = RESULTS.head(2).with_columns(
        pl.lit(9.0).alias("bits"),
        pl.Series("scale", ["gpu", "laptop"]),
        pl.Series("status", ["finished", "diverged"]),
    )
    assert decided(claim(), pl.concat([RESULTS, stray])) == decided(claim(), RESULTS)
