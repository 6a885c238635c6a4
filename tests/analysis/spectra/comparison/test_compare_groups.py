import numpy as np
import polars as pl
import pytest
from scipy import stats

from physlm.analysis.spectra import compare_groups
from physlm.analysis.spectra.comparison.arms import compare_arm
from physlm.analysis.spectra.comparison.compared import compare_all
from physlm.analysis.spectra.comparison.discoveries import with_q
from physlm.analysis.spectra.comparison.groups import read_groups
from physlm.analysis.spectra.comparison.measured import measure_groups
from physlm.analysis.spectra.comparison.verdict import Outcome, verdicts
from physlm.errors import InputError
from tests.analysis.spectra.comparison.frames import frame_of, texts_of


def noise_of(rng, n):
    return lambda *_: rng.standard_normal(n)


def planted_frame(seed, d, *, arms=("model", "untrained"), n_problems=80, **options):
    """Noise, except for metric hfer at layer 1, head 0, which is d smaller in valid texts."""
    rng = np.random.default_rng(seed)
    texts = texts_of(rng, n_problems, **options)
    is_valid = texts["is_valid"].to_numpy()
    noise = noise_of(rng, len(is_valid))

    def planted(*column):
        return noise() - d * is_valid * (column == ("hfer", 1, 0))

    values = {"model": planted, "untrained": noise, "planted": planted}
    return pl.concat([frame_of(texts, values[arm], arm=arm) for arm in arms])


def length_frame(seed, n_problems=80):
    """All metrics depend on length alone, which is larger in invalid texts; no model differs."""
    rng = np.random.default_rng(seed)
    texts = texts_of(rng, n_problems, length_gap=0.8)
    log_length = np.log(texts["n_tokens"].to_numpy())

    def value(*_):
        return 0.3 * log_length - 0.02 * log_length**2 + 0.02 * rng.standard_normal(len(log_length))

    return pl.concat([frame_of(texts, value), frame_of(texts, value, arm="untrained")])


@pytest.fixture(scope="module")
def found():
    return compare_groups(planted_frame(0, 1.8, arms=("model", "untrained", "planted")))


@pytest.fixture(scope="module")
def planted_arm():
    texts, arms = read_groups(planted_frame(0, 1.8, arms=("model",)))
    return with_q([compare_arm(arms["model"], texts, 0)])[0]


def test_a_metric_of_the_length_alone_shows_no_evidence_beyond_it():
    comparison = compare_groups(length_frame(0))
    rows = comparison.table.filter(pl.col("arm") == "model")
    assert (rows["d_raw"].abs() > 1).all()
    assert (rows["q"] < 1e-6).all()
    assert {v.outcome for v in comparison.verdicts.values()} == {Outcome.no_evidence}
    assert "hfer: no evidence beyond length and likelihood" in comparison.text


def test_a_planted_effect_is_found_where_it_is_and_nowhere_else(found):
    assert found.verdicts["hfer"].outcome is Outcome.beyond
    assert found.verdicts["any"].outcome is Outcome.beyond
    elsewhere = found.verdicts["fiedler"]
    assert elsewhere.outcome is Outcome.no_evidence
    assert [condition.holds for condition in elsewhere.conditions[:3]] == [False, False, False]
    chosen = found.selected.filter(arm="model", metric="hfer", chosen_for="both").row(0, named=True)
    assert (chosen["layer"], chosen["head"], chosen["n_chosen"]) == (1, 0, 5)
    assert chosen["d_controls"] == pytest.approx(-1.8, abs=0.5)
    power = found.planted.filter(metric="hfer").row(0, named=True)
    assert power["power"] > 0.95
    assert found.planted.filter(metric="fiedler")["power"][0] < 0.05


def test_the_control_arms_show_nothing_where_nothing_was_planted(found):
    for arm in ("untrained", "shuffled", "layer_0"):
        rows = found.selected.filter(arm=arm, chosen_for="both")
        assert (rows["d_controls"].abs() < 0.6).all()
        assert (found.nested.filter(arm=arm)["gain_low"] <= 0).all()


@pytest.fixture(scope="module")
def told_by_likelihood():
    """The least log-probability alone separates all texts; an effect is planted."""
    arms = ("model", "untrained", "planted")
    frame = planted_frame(3, 1.8, arms=arms, n_problems=40, equal=True)
    apart = pl.col("min_log_probability") + 20 * pl.col("is_valid")
    frame = frame.with_columns(min_log_probability=apart)
    noise = pl.Series(np.random.default_rng(0).standard_normal(len(frame)))
    return compare_groups(
        frame.with_columns(value=pl.when(arm="model").then(noise).otherwise("value"))
    )


def test_where_likelihood_tells_all_the_verdict_has_no_power_and_the_paired_test_has(
    told_by_likelihood,
):
    power = told_by_likelihood.planted.filter(metric="hfer").row(0, named=True)
    assert power["nested_gain"] == 0
    assert power["power"] == power["power_gain"] == 0
    assert power["power_pairs"] > 0.95
    assert told_by_likelihood.planted.filter(metric="fiedler")["power_pairs"][0] < 0.2


def test_where_likelihood_tells_all_nothing_is_decided_and_this_is_said(told_by_likelihood):
    assert {v.outcome for v in told_by_likelihood.verdicts.values()} == {Outcome.not_decided}
    said = "nothing can be added to length and likelihood, right on 100.0% of the texts"
    assert said in str(told_by_likelihood.verdicts["hfer"])
    assert any(said in note for note in told_by_likelihood.notes)


def test_power_takes_the_p_value_that_is_still_found_beside_the_others(planted_arm):
    tables = [planted_arm.columns, planted_arm.selected]
    names = ("mann_whitney_p", "welch_p", "wilcoxon_p")
    p = np.concatenate([table[name].drop_nulls() for table in tables for name in names])
    found = int(np.argmin(p))
    assert (stats.false_discovery_control(p) < 0.05).sum() > 3
    for share, is_found in ((0.999, True), (1.001, False)):
        changed = p.copy()
        changed[found] = share * planted_arm.largest_p
        assert (stats.false_discovery_control(changed)[found] < 0.05) == is_found


def test_q_is_over_the_tests_of_all_comparisons_of_a_call():
    frames = [planted_frame(i, d, n_problems=12, equal=True) for i, d in enumerate((1.8, 0.0))]
    both = compare_all([measure_groups(frame) for frame in frames])
    tables = [table.filter(arm="model") for own in both for table in (own.table, own.selected)]
    names = {"mann_whitney_p": "q", "welch_p": "q_welch", "wilcoxon_p": "q_paired"}
    p = np.concatenate([table[name] for table in tables for name in names])
    q = np.concatenate([table[name] for table in tables for name in names.values()])
    assert {own.n_tests for own in both} == {len(p)}
    assert q == pytest.approx(stats.false_discovery_control(p))


def test_without_an_untrained_model_the_verdict_is_not_decided(found, planted_arm):
    undecided = verdicts(planted_arm, None, None)
    assert undecided["hfer"].outcome is Outcome.not_decided
    assert undecided["fiedler"].outcome is Outcome.no_evidence
    assert found.verdicts["hfer"].outcome is Outcome.beyond


def test_an_effect_that_an_untrained_model_shows_as_well_is_no_evidence(planted_arm):
    verdict = verdicts(planted_arm, planted_arm, None)["hfer"]
    assert [condition.holds for condition in verdict.conditions] == [True, True, True, False]
    assert verdict.outcome is Outcome.no_evidence


def test_q_is_over_every_p_value_and_their_number_is_told(found):
    tables = [found.table.filter(arm="model"), found.selected.filter(arm="model")]
    names = {"mann_whitney_p": "q", "welch_p": "q_welch", "wilcoxon_p": "q_paired"}
    p = np.concatenate([table[name] for table in tables for name in names])
    q = np.concatenate([table[name] for table in tables for name in names.values()])
    # 2 metrics, 2 layers, 2 heads; chosen columns of both metrics and of any, by two models.
    assert found.n_tests == len(p) == 3 * (8 + 3 * 2)
    assert q == pytest.approx(stats.false_discovery_control(p))
    assert f"{found.n_tests} tests" in found.text


def test_shuffled_labels_change_within_problems_only(found):
    shuffled = found.table.filter(arm="shuffled")
    assert (shuffled["n_valid"] == 80).all()
    assert (shuffled["n_pairs"] > 0).all()
    hfer = shuffled.filter(metric="hfer", layer=1, head=0)
    assert abs(hfer["d_raw"][0]) < 0.5
    assert found.texts.n_of_label == (80, 80)


def test_labels_that_follow_the_length_are_said_and_the_rest_goes_on():
    frame = planted_frame(2, 1.8, arms=("model",), n_problems=20, length_gap=5.0)
    comparison = compare_groups(frame.filter(layer=1, metric="hfer"))
    rows = comparison.table.filter(arm="model")
    assert rows["d_length"].null_count() == len(rows)
    assert rows["d_raw"].null_count() == 0
    assert comparison.nested.filter(arm="model")["accuracy_length"][0] > 0.9
    verdict = comparison.verdicts["hfer"]
    assert verdict.outcome is Outcome.not_decided
    assert "the length determines the label" in str(verdict)


@pytest.fixture(scope="module")
def peculiar():
    """Equal lengths, a constant metric, a companion, and each text a problem of its own."""
    frame = planted_frame(6, 1.8, arms=("model",), n_problems=40, equal=True)
    constant = pl.when(metric="fiedler").then(1 + 1e-9 * pl.col("text")).otherwise("value")
    frame = frame.with_columns(value=constant, problem=pl.col("text")).filter(layer=1)
    other = frame.filter(metric="hfer").with_columns(metric=pl.lit("self_mass"))
    return compare_groups(pl.concat([frame, other]))


def test_equal_lengths_are_said_and_leave_the_raw_effect(peculiar):
    rows = peculiar.table.filter(arm="model", metric="hfer")
    assert rows["d_length"].to_list() == pytest.approx(rows["d_raw"].to_list())
    assert rows["spearman_length"].null_count() == len(rows)
    assert any("64 tokens" in note for note in peculiar.notes)


def test_constant_columns_are_no_tests_and_get_no_numbers(peculiar):
    rows = peculiar.table.filter(arm="model", metric="fiedler")
    assert rows.select("d_raw", "auc", "q", "d_length").null_count().row(0) == (2, 2, 2, 2)
    assert peculiar.verdicts["fiedler"].outcome is Outcome.not_decided
    assert "constant on all texts" in str(peculiar.verdicts["fiedler"])
    assert peculiar.n_tests == 3 * (4 + 3 * 2)
    assert any("constant" in note for note in peculiar.notes)


def test_texts_that_are_problems_of_their_own_are_shuffled_among_all(peculiar):
    assert any("shuffled among all" in note for note in peculiar.notes)
    shuffled = peculiar.table.filter(arm="shuffled", metric="hfer", head=0)
    assert shuffled["n_valid"][0] == 40
    assert abs(shuffled["d_raw"][0]) < 0.7


def test_companions_of_the_spectra_are_baselines_without_a_verdict(peculiar):
    assert list(peculiar.verdicts) == ["fiedler", "hfer", "any"]
    assert set(peculiar.selected.filter(metric="any")["chosen_metric"]) == {"hfer"}
    assert "self_mass (baseline)" in peculiar.text


def test_what_was_not_measured_is_said(peculiar):
    for missing in ("no arm untrained", "no arm planted", "no layer 0"):
        assert any(missing in note for note in peculiar.notes)
        assert missing in peculiar.text


def test_two_problems_are_compared_without_cross_validation():
    comparison = compare_groups(planted_frame(5, 1.0, n_problems=2))
    assert comparison.nested.is_empty()
    assert {v.outcome for v in comparison.verdicts.values()} == {Outcome.not_decided}
    assert "too few for nested cross-validation" in comparison.text
    assert "no untrained model" not in comparison.text


@pytest.mark.slow
def test_the_same_seed_gives_the_same_comparison():
    frame = planted_frame(8, 1.0, n_problems=15)
    first, second = compare_groups(frame, seed=3), compare_groups(frame, seed=3)
    assert first.text == second.text
    assert first.table.equals(second.table)


def test_rows_may_come_in_any_order():
    frame = planted_frame(9, 1.0, n_problems=15)
    texts, arms = read_groups(frame)
    by_column = frame.sort("metric", "head", "layer", maintain_order=True)
    other_texts, other_arms = read_groups(by_column)
    assert np.array_equal(texts.is_valid, other_texts.is_valid)
    assert np.array_equal(arms["untrained"].values, other_arms["untrained"].values)


@pytest.mark.slow
def test_fewer_than_5_in_100_metrics_of_length_alone_meet_the_first_three_conditions():
    """The fourth, of the untrained model, would hide false alarms of the others."""
    alarms = []
    for seed in range(40):
        found = compare_groups(length_frame(seed, 100), seed=seed).verdicts
        alarms += [all(c.holds for c in verdict.conditions[:3]) for verdict in found.values()]
        assert Outcome.not_decided not in {verdict.outcome for verdict in found.values()}
    assert np.mean(alarms) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("d", [0.4, 0.7, 1.0])
def test_a_planted_effect_is_found_with_the_stated_power(d):
    is_found, stated = [], []
    for seed in range(30):
        frame = planted_frame(
            seed, d, arms=("model", "untrained", "planted"), n_problems=100, equal=True
        )
        comparison = compare_groups(frame, seed=seed)
        is_found.append(comparison.verdicts["hfer"].outcome is Outcome.beyond)
        stated += comparison.planted.filter(metric="hfer")["power"].to_list()
    # Of 30 samples the share has a standard error of 0.09; the stated power errs downwards.
    assert -0.25 < np.mean(stated) - np.mean(is_found) < 0.15


REFUSED = {
    "no column mean_entropy": lambda f: f.drop("mean_entropy"),
    "arm=teacher": lambda f: f.with_columns(arm=pl.lit("teacher")),
    "no rows of arm model": lambda f: f.with_columns(arm=pl.lit("planted")),
    "metric hfer at layer 1, head 0, text 3": lambda f: f.with_columns(
        value=pl.when(metric="hfer", layer=1, head=0, text=3).then(np.nan).otherwise("value")
    ),
    "0 valid and 30 invalid": lambda f: f.with_columns(is_valid=pl.lit(value=False)),
    "all texts belong to one problem": lambda f: f.with_columns(problem=pl.lit(1)),
    "the problem determines the label": lambda f: f.with_columns(
        problem=pl.col("text") % 2 + 2 * (pl.col("text") % 3)
    ),
    "several values of n_tokens": lambda f: f.with_columns(n_tokens=pl.col("layer") + 10),
    "has 0 values for text 4": lambda f: f.remove(metric="hfer", layer=1, head=0, text=4),
    "has 2 values for text": lambda f: pl.concat([f, f.head(1)]),
    "mean_entropy of text 5 is not finite": lambda f: f.with_columns(
        mean_entropy=pl.when(text=5).then(np.inf).otherwise("mean_entropy")
    ),
    "is_valid has type": lambda f: f.with_columns(pl.col("is_valid").cast(pl.Int8)),
    "which arm model lacks": lambda f: pl.concat(
        [f, f.with_columns(arm=pl.lit("planted"), text=pl.col("text") + 1)]
    ),
    "a text has at least one token": lambda f: f.with_columns(n_tokens=pl.lit(0)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(message):
    frame = REFUSED[message](planted_frame(10, 1.0, arms=("model",), n_problems=15))
    with pytest.raises(InputError) as refused:
        compare_groups(frame)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
