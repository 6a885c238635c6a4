"""Both capacity laws against closed forms, and what holds of any such law."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physlm.errors import InputError
from physlm.report.planner.bios import world_bits
from physlm.report.planner.case import Case, Mlp, Setting
from physlm.report.planner.law import solved
from physlm.report.planner.published_law import PublishedLaw
from tests.report.planner.laws import LAWS, PLANTED, cases, junk_settings, planted_law

PUBLISHED = PublishedLaw()
MORE = st.floats(1.0, 1e4)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(case=cases(), more=MORE)
def test_more_parameters_or_exposures_never_store_less(law, case, more):
    stored = law.stored(case).value
    assert 0 <= stored <= 1
    for name in ("parameters", "exposures"):
        larger = replace(case, **{name: more * getattr(case, name)})
        assert law.stored(larger).value >= stored - 1e-12


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(case=cases(), more=MORE)
def test_a_larger_world_is_never_stored_to_a_larger_fraction(law, case, more):
    assert law.stored(replace(case, bits=more * case.bits)).value <= law.stored(case).value + 1e-12


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(case=cases())
def test_an_interval_holds_its_value(law, case):
    stored = law.stored(case)
    assert 0 <= stored.low <= stored.value <= stored.high <= 1


@given(case=cases(st.just(Setting())))
def test_the_measured_law_is_its_closed_form(case):
    fewer = (case.parameters / 20_000) ** -0.3
    left = max(case.exposures - 15 * fewer, 0.0)
    load = 2.2 * case.parameters / case.bits * left**0.8 / (left**0.8 + (80 * fewer) ** 0.8)
    stored = (load**-6 + 1) ** (-1 / 6) if load > 1e-40 else 0.0
    assert planted_law().stored(case).value == pytest.approx(stored)


def test_the_interval_is_of_the_spread_of_runs_and_of_the_fitted_values():
    case = Case(
        bits=1e9, parameters=1e4, exposures=100.0
    )  # so little is stored that it is the load
    law = replace(planted_law(), full_spread=0.0)
    certain = replace(law, resampled=(PLANTED,)).stored(case)
    assert certain.high / certain.value == pytest.approx(math.exp(1.6449 * 0.05), rel=1e-3)
    other = PLANTED._replace(capacity=PLANTED.capacity * math.exp(0.12))
    both = replace(law, resampled=(other,)).stored(case)
    assert both.high / both.value == pytest.approx(math.exp(1.6449 * 0.13), rel=1e-3)


@pytest.mark.parametrize(
    ("exposures", "setting", "bits_per_parameter"),
    [
        (1000, Setting(), 2),
        (100, Setting(), 1),
        (100, Setting(junk_fraction=0.875), 1 / 20),
        (300, Setting(junk_fraction=0.875), 1 / 3),
        (600, Setting(junk_fraction=0.875), 1 / 1.5),
        (1000, Setting(junk_fraction=0.875), 1 / 1.3),
        (100, Setting(junk_fraction=0.875, has_domain_token=True), 1 / 2),
        (300, Setting(junk_fraction=0.875, has_domain_token=True), 1),
        (1000, Setting(weight_bits=8), 2),
        (1000, Setting(weight_bits=4), 0.7),
        (1000, Setting(mlp=Mlp.gated), 2),
        (100, Setting(mlp=Mlp.gated), 1 / 1.3),
        (1000, Setting(mlp=Mlp.moe), 2 / 1.3),
        (100, Setting(mlp=Mlp.moe), 1 / 1.5),
    ],
)
def test_the_published_law_has_the_numbers_of_the_paper(exposures, setting, bits_per_parameter):
    case = Case(bits=1e8, parameters=1e7, exposures=exposures, setting=setting)
    assert PUBLISHED.stored(case).value * 1e8 / 1e7 == pytest.approx(bits_per_parameter)
    assert PUBLISHED.outside(case) == []


def test_between_published_exposures_capacity_is_a_power_of_them():
    case = Case(bits=1e8, parameters=1e7, exposures=math.sqrt(100 * 1000))
    assert PUBLISHED.stored(case).value * 10 == pytest.approx(math.sqrt(1 * 2))


def test_less_junk_than_published_is_between_that_much_and_none():
    case = Case(bits=1e8, parameters=1e7, exposures=100)
    half = PUBLISHED.stored(replace(case, setting=Setting(junk_fraction=0.5)))
    assert (half.low, half.high) == pytest.approx((0.1 / 20, 0.1))


def test_bits_of_bios_are_those_of_the_paper():
    """2 (12 28 200) 200 300 100 263 values, and 160 million names."""
    assert world_bits(1) == pytest.approx(math.log2(1.6e8) + 47.6, abs=0.01)
    assert world_bits(10_000) == pytest.approx(10_000 * (math.log2(16_000) + 47.59162), rel=1e-6)
    assert world_bits(3.2e8) == pytest.approx(3.2e8 * 47.59162, rel=1e-6)  # all names are taken


@pytest.mark.parametrize("change", ["exposures", "parameters", "bits"])
def test_what_is_outside_a_range_is_named_with_it(change):
    inside = Case(bits=3e4, parameters=2e4, exposures=100)
    law = planted_law()
    assert law.outside(inside) == []
    reason = law.outside(replace(inside, **{change: 1e7}))[0]
    assert reason.startswith(f"10 million {change} (measured for ")


@pytest.mark.parametrize(
    ("setting", "exposures", "reason"),
    [
        (Setting(junk_fraction=0.75), 100, "0.75 junk (measured for 0 to 0.5 and 0.875)"),
        (Setting(junk_fraction=0.5), 50, "50 exposures, junk 0.5 (measured for 100 to 600)"),
        (
            Setting(junk_fraction=0.5, has_domain_token=True),
            150,
            "150 exposures, junk 0.5 with domain tokens (measured for 100 and 300)",
        ),
        (Setting(mlp=Mlp.moe), 50, "50 exposures, moe MLP (measured for 100 to 1,000)"),
        (Setting(weight_bits=8), 100, "100 exposures, 8-bit weights (measured for 1,000)"),
        (Setting(), 1, "1 exposure (measured for 30 to 1,000)"),
    ],
)
def test_what_no_run_has_varied_is_named(setting, exposures, reason):
    case = Case(bits=3e4, parameters=2e4, exposures=exposures, setting=setting)
    assert planted_law().outside(case) == [reason]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("exposures", [999.9999, 1000.0, 1000.0001])
def test_exposures_that_differ_by_rounding_are_the_measured_ones(law, exposures):
    ends = {name: ends for name, ends in law.ranges.items() if name != "exposures"}
    inside = {name: (low * high) ** 0.5 for name, (low, high) in ends.items() if " " not in name}
    case = Case(**inside, exposures=exposures, setting=Setting(weight_bits=8))
    assert law.outside(case) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"junk_fraction": 0.9}, "--junk 0.9; .* from 0 to 0.875, the most that was measured"),
        ({"junk_fraction": 0.5, "mlp": Mlp.gated}, "junk 0.5 and gated MLP were not measured"),
        ({"weight_bits": 8, "mlp": Mlp.moe}, "8-bit weights and moe MLP were not measured"),
    ],
)
def test_settings_without_any_measurement_have_no_answer(changes, reason):
    with pytest.raises(InputError, match=reason):
        Setting(**changes)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(case=cases(junk_settings))
def test_no_extrapolation_stores_more_among_junk_than_without_it(law, case):
    plain = law.stored(replace(case, setting=Setting()))
    assert law.stored(case).value <= plain.value * (1 + 1e-9)
    assert plain.value * case.bits / case.parameters <= 2.3


@given(target=st.floats(0.01, 0.99), power=st.floats(0.2, 3), scale=st.floats(1e-2, 1e9))
def test_a_solution_is_the_least_that_reaches_the_target(target, power, scale):
    found = solved(lambda x: min(1.0, (x / scale) ** power), target)
    assert found == pytest.approx(scale * target ** (1 / power), rel=1e-9)


def test_what_is_never_reached_has_no_solution():
    assert solved(lambda x: x / (2 * x + 1), 0.6) is None
