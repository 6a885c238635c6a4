import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml
from scipy import stats

from physlm.claim import Claim
from physlm.claims import decided_experiments, main
from physlm.errors import InputError
from physlm.ledger import all_claims
from physlm.results import Results
from physlm.selection import best_of
from physlm.sweep import configurations
from physlm.verdict import decide

VALUES = {1000: [1.9, 1.95, 2.0], 100: [1.0, 1.1, 1.2], 10: [0.1]}
RESULTS = pl.DataFrame(
    [
        {
            "data.exposures": e,
            "bits": v,
            "most": 2.0,
            "scale": "laptop",
            "status": "finished",
            "optim.learning_rate": 0.1,
        }
        for e, vs in VALUES.items()
        for v in vs
    ]
)


_METRICS = {"bits", "most", "loss", "of_a", "of_b", "x", "y", "qa/accuracy", "bio/accuracy"}


def long(table):
    """A table with a column for each metric as results."""
    if "run_id" not in table.columns:
        table = table.with_columns(run_id=pl.int_range(len(table)).cast(pl.String))
    metrics = [name for name in table.columns if name in _METRICS]
    rows = [
        {"run_id": row["run_id"], "metric": name, "dims": "", "value": row[name]}
        for row in table.iter_rows(named=True)
        for name in metrics
        if row[name] is not None
    ]
    return Results.of(table.drop(metrics), rows)


def decided(rule, table):
    return decide(rule, long(table))


def claim(**changes):
    values = {
        "id": "c",
        "statement": "s",
        "source": "p",
        "published": "2",
        "metric": "bits",
        "select": {"data.exposures": 1000},
        "scale": "laptop",
        "expect": {"at_least": 1.8},
        "command": "run",
    }
    return Claim(**(values | changes))


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


def paired(values, others):
    """Two kinds of runs, of two seeds, over three ways of telling."""
    rows = []
    for kind, of_seeds in (("a", values), ("b", others)):
        for seed, row in enumerate(of_seeds):
            for way, value in enumerate(row):
                rows.append(
                    {
                        "name": kind,
                        "seed": seed,
                        "way": way,
                        "scale": "laptop",
                        "status": "finished",
                        f"of_{kind}": value,
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


FOLLOWS = {
    "metric": "of_a",
    "select": {"name": "a"},
    "expect": {"at_least": 0.8},
    "follows": {"metric": "of_b", "select": {"name": "b"}, "over": "way"},
}


def test_what_follows_is_ranked_alike_seed_by_seed():
    alike = decided(claim(**FOLLOWS), paired([[1, 2, 3], [3, 1, 2]], [[5, 6, 9], [9, 0, 2]]))
    assert (alike.value, alike.word, alike.n) == (1.0, "holds", 2)
    swapped = decided(claim(**FOLLOWS), paired([[1, 2, 3], [3, 1, 2]], [[6, 5, 9], [9, 0, 2]]))
    assert swapped.value == pytest.approx((0.5 + 1) / 2)
    assert swapped.word == "undecided"


def test_what_follows_needs_a_run_of_each_kind():
    results = paired([[1, 2, 3], [3, 1, 2]], [[5, 6, 9], [9, 0, 2]])
    with pytest.raises(InputError, match="not one run of each kind for every seed, way"):
        decided(claim(**FOLLOWS), results[:-1])
    with pytest.raises(InputError, match="not one run of each kind"):
        decided(claim(**FOLLOWS), pl.concat([results, results[:1]]))


def test_one_run_decides_nothing():
    verdict = decided(claim(select={"data.exposures": 10}, expect={"at_most": 1.0}), RESULTS)
    assert (verdict.word, verdict.low, verdict.n) == ("undecided", None, 1)


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


def of_values(a, b, **columns):
    """Runs at 1000 and at 100 exposures with these values."""
    rows = [
        {
            "data.exposures": e,
            "bits": float(v),
            "scale": "laptop",
            "status": "finished",
            "seed": s,
            **{name: values[i][s] for name, values in columns.items()},
        }
        for i, (e, values_) in enumerate(((1000, a), (100, b)))
        for s, v in enumerate(values_)
    ]
    return pl.DataFrame(rows)


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
    with pytest.raises(InputError, match="paired, but not one run of every seed in both groups"):
        decided(claim(compared_to={"data.exposures": 100}, paired=True), results)


def test_a_comparison_is_decided_only_if_both_intervals_are_on_one_side():
    results = of_values([1.0, 1.2, 1.4], [0.7, 0.9, 1.1])
    verdict = decided(claim(compared_to={"data.exposures": 100}, expect={"at_least": 0}), results)
    assert verdict.low < 0 < verdict.resampled[0]
    assert verdict.word == "undecided"


def test_a_comparison_with_a_part_of_the_others_multiplies_them():
    results = of_values([1.0, 1.1, 1.2], [3.0, 3.1, 3.2])
    half = claim(compared_to={"data.exposures": 100}, times=0.5, expect={"at_most": 0})
    assert decided(half, results).value == pytest.approx(1.1 - 1.55)
    assert decided(half, results).word == "holds"


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


def test_a_ratio_of_what_is_not_above_zero_is_refused():
    results = of_values([1.0, 1.2, 1.4], [0.7, -0.1, 1.1])
    with pytest.raises(InputError, match="a ratio of values that are not above 0; use times"):
        decided(claim(compared_to={"data.exposures": 100}, by="ratio"), results)


def test_a_rate_with_fewer_seeds_is_not_chosen_from():
    best = {"over": "optim.learning_rate", "by": "loss"}
    with pytest.raises(InputError, match="not every optim.learning_rate has one finished run"):
        decided(claim(best_of=best), rates()[1:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": 0.5}, "times=0.5 is of a difference only"),
        ({"paired": True}, "paired is of a comparison only"),
        ({"best_of": {"over": "seed"}}, "best_of needs over and by"),
        ({"follows": {"metric": "other"}}, "follows needs metric, select and over"),
        (
            {"follows": {"metric": "m", "select": {}, "over": "seed"}, "relative_to": "most"},
            "follows stands alone",
        ),
        ({"expect": {"atleast": 1}}, "expect={'atleast': 1}; at_least or at_most"),
        ({"expect": {}}, "expect={}; at_least or at_most"),
        ({"expect": {"at_least": "two"}}, "expect={'at_least': 'two'}; bounds are numbers"),
        ({"by": "quotient"}, "by=quotient; difference or ratio"),
        ({"published": 2}, "published=2; must be text, in quotes if it is a number"),
        ({"select": "all"}, "select=all; must be keys with values"),
        ({"scale": "large"}, "scale=large; one of laptop, gpu, paper"),
    ],
)
def test_a_rule_that_cannot_be_is_named(changes, message):
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
def test_a_value_that_is_missing_or_no_number_is_refused(bad):
    values = pl.Series([*RESULTS["bits"][:2], bad, *RESULTS["bits"][3:]], dtype=pl.Float64)
    with pytest.raises(InputError, match="claim c: 1 of 3 values of bits .*are no numbers"):
        decided(claim(), RESULTS.with_columns(bits=values))


def test_a_correlation_with_what_is_the_same_everywhere_is_refused():
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
    with pytest.raises(InputError, match="claim c: all the same for a seed, which ranks nothing"):
        decided(claim(metric="x", select={"kind": "a"}, follows=rule), runs)


def test_one_run_of_a_group_has_no_error(tmp_path):
    verdict = decided(claim(compared_to={"data.exposures": 10}), RESULTS)
    assert verdict.groups[0][1] == pytest.approx(stats.sem(VALUES[1000]))
    assert verdict.groups[1] == (0.1, None)


RUN = "+experiment=capacity_1000x"


def ledger(folders):
    """Every claim of some folders, in full."""
    return "".join(all_claims(decided) for decided in decided_experiments(folders))


def of_runs(words, values, **columns):
    """Results of the runs of some words, one seed a value."""
    rows = []
    for seed, value in enumerate(values):
        for run in configurations(tuple(words.split()), "laptop"):
            run_id = replace(run, seed=seed).run_id
            rows.append(
                {
                    "run_id": run_id,
                    "bits": value,
                    "data.exposures": run.data.exposures,
                    "seed": seed,
                    "scale": "laptop",
                    "status": "finished",
                    "git_revision": "f00",
                    "git_dirty": False,
                }
                | columns
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def folder_of(tmp_path, results, *claims, runs=(RUN,)):
    """As of an experiment."""
    tmp_path.mkdir(exist_ok=True)
    long(results).write(tmp_path)
    base = {
        "statement": "About 2 bits",
        "source": "Part 3.3",
        "published": "2",
        "metric": "bits",
        "select": {"data.exposures": 1000},
        "scale": "laptop",
        "expect": {"at_least": 1.8},
    }
    entries = [{"id": f"claim-{i}"} | base | changes for i, changes in enumerate(claims)]
    write_experiment(tmp_path, entries, runs)
    return tmp_path


def write_experiment(folder, claims, runs=(RUN,)):
    arms = {f"arm{i}": words.split() for i, words in enumerate(runs)}
    content = {
        "title": "Capacity",
        "source": {"paper": "Part 3.3", "result": "result 1"},
        "seeds": 3,
        "runs": arms,
        "claims": claims,
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(content))


def test_runs_of_another_configuration_decide_no_claim(tmp_path, capsys):
    """Whether or not results show in a column what was changed."""
    changed = of_runs(f"{RUN} data.n_people=200", VALUES[1000])
    shown = changed.with_columns(pl.lit(200).alias("data.n_people"))
    less_seen = of_runs(f"{RUN} data.exposures=30", VALUES[1000])
    folders = [
        folder_of(tmp_path / str(i), results, {})
        for i, results in enumerate((changed, shown, less_seen))
    ]
    assert main([str(folder) for folder in folders]) == 0
    assert "3 without runs of their configuration" in capsys.readouterr().out
    rows = [row for row in ledger(folders).splitlines() if "`: About 2 bits" in row]
    assert all("**not this claim's configuration**: " in row for row in rows)
    assert "what differs is the same in all rows" in rows[0]
    assert "data.n_people=200, this claim's experiment has 1000" in rows[1]
    assert "data.exposures=30, this claim's experiment has 1000" in rows[2]


def test_runs_of_another_configuration_are_left_out_and_counted(tmp_path):
    own, other = (
        of_runs(f"{RUN}{word}", v)
        for word, v in (("", [1.9, 1.95, 2.0]), (" model.d_model=24", [9.0, 9.1]))
    )
    folder = folder_of(tmp_path, pl.concat([own, other]), {})
    assert "1.950 (1.826 to 2.074, n = 3, 2 of other configurations left out)" in ledger([folder])


def test_both_sides_of_a_comparison_are_of_its_runs(tmp_path):
    ours, theirs = (of_runs(f"{RUN} data.exposures={n}", VALUES[n]) for n in (1000, 100))
    rule = {"compared_to": {"data.exposures": 100}, "expect": {"at_least": 0}}
    folder = folder_of(tmp_path, pl.concat([ours, theirs]), rule)
    assert "not this claim's configuration**: data.exposures=100" in ledger([folder])
    runs = (RUN, f"{RUN} data.exposures=10,100")
    folder = folder_of(tmp_path, pl.concat([ours, theirs]), rule, runs=runs)
    assert "**holds**" in ledger([folder])


def test_results_that_do_not_name_their_runs_are_refused(tmp_path):
    folder = folder_of(tmp_path, of_runs(RUN, [1.9, 2.0]), {})
    pl.read_csv(folder / "runs.csv").drop("run_id").write_csv(folder / "runs.csv")
    with pytest.raises(InputError, match="claim claim-0: results have no column run_id"):
        ledger([folder])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{RUN} data.n_poeple=3", "n_poeple"),
        ("+sweeps=nothing", r"\+sweeps=nothing: .* does not exist"),
    ],
)
def test_words_that_make_no_runs_are_refused(tmp_path, words, message):
    folder = folder_of(tmp_path, of_runs(RUN, [1.9, 2.0]), {}, runs=[words])
    with pytest.raises(InputError, match=f"claim claim-0: .*{message}"):
        ledger([folder])


@pytest.mark.parametrize(
    "repeat",
    [
        {"select": {"status": "finished", "data.exposures": 1000}, "expect": {"at_least": 1.8}},
        {"select": {"scale": "laptop"}},
        {"times": 1, "by": "ratio"},
    ],
)
def test_two_claims_of_one_rule_and_the_same_runs_are_refused(tmp_path, repeat):
    results = of_runs(RUN, [1.95, 1.95, 1.95])
    first = folder_of(tmp_path / "one", results, {})
    second = folder_of(tmp_path / "two", results, repeat)
    message = "claim two/claim-0 has the rule and the runs of one/claim-0"
    with pytest.raises(InputError, match=message):
        ledger([first, second])
    ledger([first, folder_of(tmp_path / "two", results, {"expect": {"at_most": 2.3}})])


def test_a_comparison_turned_round_is_the_same_rule(tmp_path):
    results = pl.concat([of_runs(f"{RUN} data.exposures={n}", VALUES[n]) for n in (1000, 100)])
    runs = [f"{RUN} data.exposures=1000,100"]
    sides = [{"data.exposures": n} for n in (1000, 100)]
    for by, low, high in (("difference", 0.5, -0.5), ("ratio", 2, 0.5)):
        rules = [
            {"select": a, "compared_to": b, "by": by, "expect": {bound: value}}
            for a, b, bound, value in ((*sides, "at_least", low), (*sides[::-1], "at_most", high))
        ]
        with pytest.raises(InputError, match="claim-1 has the rule and the runs of .*/claim-0"):
            ledger([folder_of(tmp_path, results, *rules, runs=runs)])


def test_no_interval_ends_where_the_quantity_cannot_be():
    """Of a correlation beyond 1; of accuracies beyond 0 and 1, and their ratio below 0."""
    results = paired([[1, 2, 3, 4], [1, 2, 4, 3]], [[5, 6, 8, 9]] * 2)
    assert decided(claim(**FOLLOWS), results).high == 1.0
    accuracies = of_values([0.99, 0.9, 1.0], [0.0, 0.1, 0.0], other=([0.1, 0.9, 1.0], [1.0] * 3))
    accuracies = accuracies.rename({"bits": "qa/accuracy", "other": "bio/accuracy"})
    most, least = ({"data.exposures": n} for n in (1000, 100))
    of_accuracy = {"metric": "qa/accuracy"}
    assert decided(claim(**of_accuracy, select=most), accuracies).high == 1.0
    assert decided(claim(**of_accuracy, select=least), accuracies).low == 0.0
    ratio = decided(claim(**of_accuracy, select=most, relative_to="bio/accuracy"), accuracies)
    assert ratio.low == 0.0 < ratio.value < ratio.high


def test_what_is_not_above_zero_has_no_multiple():
    """A twentieth of -3 is above it: `20 times less` would hold of 0.1, and 0.1 is more than -3."""
    for expect in ({"at_most": 0}, {"at_least": 0}):
        rule = claim(compared_to={"data.exposures": 100}, times=0.05, expect=expect)
        verdict = decided(rule, of_values([0.1, 0.2, 0.1], [-3.0, -3.1, -3.2]))
        assert verdict.word == "undecided"
        assert verdict.why == "-3.100 is not above 0, so that it has no multiple"


def test_less_than_nothing_is_less_than_any_part_of_something():
    rule = claim(compared_to={"data.exposures": 100}, times=0.05, expect={"at_most": 0})
    assert decided(rule, of_values([-0.2, -0.1, -0.15], [3.0, 3.1, 3.2])).word == "holds"


def test_a_part_of_less_than_nothing_is_no_ratio():
    results = of_values([-0.2, -0.1, -0.15], [1.0], most=([2.0, 2.0, 2.0], [1.0]))
    verdict = decided(claim(relative_to="most", expect={"at_most": 0.5}), results)
    assert (verdict.word, verdict.why[:22]) == ("undecided", "-0.150 is not above 0,")


def test_a_folder_without_results_is_said_and_the_others_are_decided(tmp_path, capsys):
    folder_of(tmp_path, of_runs(RUN, VALUES[1000]), {"id": "two"})
    assert main([str(tmp_path / "elsewhere"), str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "elsewhere has no results; python -m physlm.reproduce elsewhere --output" in printed.err
    assert "| About 2 bits | 2 | 1.950 ± 0.029 (n = 3) | laptop | **holds** |" in printed.out


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
