"""Plans: solutions that a law confirms, inverse to each other, and never silently extrapolated."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.errors import InputError
from physlm.report.planner.advice import advice
from physlm.report.planner.case import Setting
from physlm.report.planner.published_law import PublishedLaw
from physlm.report.planner.question import Question, Rare
from tests.report.planner.laws import planted_law

MEASURED, PUBLISHED = planted_law(), PublishedLaw()
LAWS = (MEASURED, PUBLISHED)
QUESTION = Question(facts=4000, exposures=200, bits_per_fact=9)

facts = st.floats(1e3, 1e8)
exposures = st.floats(30, 1000)
wanted = st.floats(0.05, 0.99)
bits = st.sampled_from([None, 8.0])


def answers(question, *laws):
    return advice(question, laws or LAWS, extrapolates=True).answers


@given(facts=facts, exposures=exposures, stored=wanted, bits=bits)
def test_a_planned_model_stores_what_was_wanted(facts, exposures, stored, bits):
    question = Question(facts=facts, exposures=exposures, stored=stored, bits_per_fact=bits)
    for answer in answers(question):
        assert answer.stored.value == pytest.approx(stored, rel=1e-6)
        low, high = answer.interval
        assert low <= answer.value * (1 + 1e-9)
        assert high is None or answer.value <= high * (1 + 1e-9)


@settings(max_examples=25)
@given(facts=facts, exposures=exposures, stored=wanted, bits=bits)
def test_each_quantity_is_planned_back_from_the_others(facts, exposures, stored, bits):
    """A model for some facts holds those facts, after as many exposures."""
    asked = Question(facts=facts, exposures=exposures, stored=stored, bits_per_fact=bits)
    for answer in answers(asked):
        parameters = answer.case.parameters
        (held,) = answers(replace(asked, facts=None, parameters=parameters), answer.law)
        assert held.facts == pytest.approx(facts, rel=1e-6)
        (seen,) = answers(replace(asked, exposures=None, parameters=parameters), answer.law)
        assert seen.case.exposures == pytest.approx(exposures, rel=1e-5)
        (told,) = answers(replace(asked, parameters=parameters), answer.law)
        assert told.planned == "stored"
        assert told.value == pytest.approx(stored, rel=1e-6)


@given(facts=facts, exposures=exposures, parameters=st.floats(1e4, 1e9))
def test_a_plan_by_tokens_is_one_by_exposures(facts, exposures, parameters):
    asked = Question(facts=facts, exposures=exposures, parameters=parameters)
    for answer in answers(asked):
        (same,) = answers(replace(asked, exposures=None, tokens=answer.tokens), answer.law)
        assert same.case.exposures == pytest.approx(exposures)
        assert same.value == pytest.approx(answer.value)


@settings(max_examples=40)
@given(tokens=st.floats(1e6, 1e12), parameters=st.floats(1e4, 1e9), stored=wanted)
def test_what_a_budget_of_tokens_holds_uses_all_of_it(tokens, parameters, stored):
    asked = Question(parameters=parameters, tokens=tokens, stored=stored)
    for answer in answers(asked):
        assert answer.tokens == pytest.approx(tokens, rel=1e-6)
        assert answer.stored.value == pytest.approx(stored, rel=1e-4)


@settings(max_examples=25)
@given(facts=facts, exposures=exposures, more=st.floats(1.01, 10))
def test_more_exposures_never_need_a_larger_model(facts, exposures, more):
    asked = Question(facts=facts, exposures=exposures)
    later = replace(asked, exposures=more * exposures)
    for before, after in zip(answers(asked), answers(later), strict=True):
        assert after.value <= before.value * (1 + 1e-9)


def test_the_published_plan_is_in_the_numbers_of_the_paper():
    """A million facts of 10 bits after 1000 exposures, 2 bits a parameter, and 2.3 and 1.8."""
    asked = Question(facts=1e6, exposures=1000, bits_per_fact=10, tokens_per_fact=13)
    (answer,) = answers(asked, PUBLISHED)
    assert answer.value == pytest.approx(0.9 * 1e7 / 2)
    assert answer.interval == pytest.approx((0.9 * 1e7 / 2.3, 0.9 * 1e7 / 1.8))
    assert answer.bits_per_parameter == pytest.approx(2)
    assert answer.tokens == pytest.approx(13e9)
    assert answer.flops == pytest.approx(6 * 4.5e6 * 13e9)
    assert answer.steps == 50_000
    assert answer.outside == ()


def test_junk_lengthens_the_training():
    asked = replace(QUESTION, setting=Setting(junk_fraction=0.875))
    for plain, among in zip(answers(QUESTION), answers(asked), strict=True):
        assert among.tokens == pytest.approx(8 * plain.tokens)
        assert among.value > plain.value


def test_a_law_is_silent_outside_its_range_and_says_why():
    found = advice(QUESTION, LAWS)
    assert [one.law.name for one in found.answers] == ["measured"]
    assert found.answers[0].outside == ()
    (refusal,) = found.refusals
    assert refusal.law is PUBLISHED
    assert refusal.reasons[-1] == "36,000 bits (published for 616,000 to 516 million)"


def test_an_answer_outside_the_range_carries_the_reasons():
    found = advice(QUESTION, LAWS, extrapolates=True)
    assert [bool(one.outside) for one in found.answers] == [False, True]
    assert found.refusals == ()


def test_no_law_at_all_is_one_line_with_every_range_and_the_remedy():
    with pytest.raises(InputError) as raised:
        advice(replace(QUESTION, exposures=20), LAWS)
    line = str(raised.value)
    assert line.startswith("no law answers: 20 exposures (measured for 30 to 1,000)")
    assert "20 exposures (published for 100 to 1,000)" in line
    assert line.endswith("; --extrapolate answers outside the range")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"exposures": 1000, "setting": Setting(weight_bits=4)}, "parameters"),
        ({"exposures": None, "facts": 2000, "parameters": 8000}, "exposures"),
        ({"facts": None, "parameters": 8000, "exposures": 1}, "facts"),
    ],
)
@pytest.mark.parametrize("extrapolates", [False, True])
def test_what_nothing_reaches_is_said_without_a_remedy_that_is_none(changes, unknown, extrapolates):
    wide = replace(MEASURED, ranges={"exposures": (1, 1000)})
    with pytest.raises(InputError) as raised:
        advice(replace(QUESTION, **changes), (wide,), extrapolates=extrapolates)
    assert str(raised.value) == (
        f"no law answers: no number of {unknown} from 0.001 to 1e+15 stores 90% (measured law)"
    )


def test_what_is_given_outside_a_range_is_the_reason_not_what_it_leads_to():
    small = replace(QUESTION, exposures=None, parameters=800)
    with pytest.raises(InputError) as raised:
        advice(small, (MEASURED,))
    assert str(raised.value) == (
        "no law answers: 800 parameters (measured for 7,000 to 60,000); 0.0222 parameters per bit "
        "(measured for 0.1 to 2)"
    )


def test_a_plan_outside_a_range_is_worded_as_a_need():
    with pytest.raises(InputError, match=r"would need 68,800 parameters \(measured for 7,000 to"):
        advice(replace(QUESTION, facts=12_000), (MEASURED,))


def test_the_interval_of_facts_begins_at_none_where_no_number_is_few_enough():
    asked = Question(facts=None, parameters=3e4, exposures=1000, stored=0.99, bits_per_fact=9)
    (answer,) = answers(asked, MEASURED)
    low, high = answer.interval
    assert low == 0
    assert low < answer.value < high


@given(parameters=st.floats(1e3, 1e8), exposures=exposures, stored=wanted, bits=bits)
def test_planned_facts_lie_in_their_interval(parameters, exposures, stored, bits):
    asked = Question(parameters=parameters, exposures=exposures, stored=stored, bits_per_fact=bits)
    for answer in answers(asked):
        low, high = answer.interval
        assert low <= answer.value * (1 + 1e-9)
        assert answer.value <= high * (1 + 1e-9)


def test_rare_facts_are_named_with_the_exposures_that_they_lack():
    asked = replace(
        QUESTION, parameters=30_000, exposures=500, rare=(Rare(0.1, 20), Rare(0.2, 400))
    )
    (answer,) = answers(asked, MEASURED)
    (needed,) = answers(replace(asked, exposures=None, rare=()), MEASURED)
    rare, frequent = answer.rare
    assert (rare.is_stored, rare.is_extrapolated) == (False, True)
    assert rare.needed == pytest.approx((needed.value,) * 2)
    assert (frequent.is_stored, frequent.is_extrapolated) == (True, False)


def test_only_what_the_law_stores_of_rare_facts_is_counted():
    asked = replace(QUESTION, parameters=30_000, exposures=500, rare=(Rare(0.1, 10), Rare(0.2, 40)))
    (answer,) = answers(asked, MEASURED)
    alone = [
        answers(replace(asked, exposures=seen, rare=()), MEASURED)[0].stored.value
        for seen in (500, 10, 40)
    ]
    stored = 0.7 * alone[0] + 0.1 * alone[1] + 0.2 * alone[2]
    assert alone[1] == 0  # before the onset
    assert answer.stored.value == alone[0]
    assert answer.stored_of_all == pytest.approx(stored)
    assert answer.bits_per_parameter == pytest.approx(stored * 36_000 / 30_000)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"facts": 5800, "parameters": 30_000, "exposures": 500, "stored": 0.94}, (1000, None)),
        (
            {
                "facts": 2000,
                "parameters": 30_000,
                "exposures": 300,
                "stored": 0.8,
                "setting": Setting(junk_fraction=0.5, has_domain_token=True),
            },
            (100, 300),
        ),
    ],
)
def test_what_rare_facts_need_is_not_extrapolated(changes, needed):
    asked = replace(QUESTION, rare=(Rare(0.1, 100),), **changes)
    (answer,) = advice(asked, (MEASURED,)).answers
    assert answer.rare[0].needed == needed
    low, high = answers(asked, MEASURED)[0].rare[0].needed
    assert low == high > needed[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"exposures": 200},
        {"exposures": None, "parameters": 50_000},  # planned
        {"exposures": None, "parameters": 50_000, "tokens": 5e6},
        {"facts": None, "exposures": None, "parameters": 3e4, "tokens": 6e6},
    ],
)
def test_rare_facts_that_are_not_rare_are_refused(changes):
    asked = replace(QUESTION, rare=(Rare(0.5, 700),), **changes)
    with pytest.raises(InputError, match="--rare 0.5:700; rare facts must have fewer exposures"):
        advice(asked, (MEASURED,), extrapolates=True)


@given(
    share=st.floats(0.01, 0.9),
    rare=st.just(0.0) | st.floats(0.001, 99),
    exposures=st.floats(100, 1000),
)
def test_rare_facts_are_read_as_rarely_as_they_are_seen(share, rare, exposures):
    asked = replace(QUESTION, exposures=exposures, rare=(Rare(share, rare),), tokens_per_fact=1)
    (answer,) = answers(asked, MEASURED)
    assert answer.tokens == pytest.approx(4000 * ((1 - share) * exposures + share * rare))
    back = replace(asked, exposures=None, tokens=answer.tokens, parameters=5e4)
    assert answers(back, MEASURED)[0].case.exposures == pytest.approx(exposures)
