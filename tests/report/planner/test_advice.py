"""Plans: solutions that a law confirms, inverse to each other, and never silently extrapolated."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
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


@given(tokens=st.floats(1e6, 1e12), parameters=st.floats(1e4, 1e9), stored=wanted)
def test_what_a_budget_of_tokens_holds_uses_all_of_it(tokens, parameters, stored):
    asked = Question(parameters=parameters, tokens=tokens, stored=stored)
    for answer in answers(asked):
        assert answer.tokens == pytest.approx(tokens, rel=1e-6)
        assert answer.stored.value == pytest.approx(stored, rel=1e-4)


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
    assert line.startswith("outside what is known: 20 exposures (measured for 30 to 1,000)")
    assert "20 exposures (published for 100 to 1,000)" in line
    assert line.endswith("; --extrapolate answers all the same")
    assert "\n" not in line


def test_what_no_size_or_number_of_exposures_reaches_is_said():
    four = replace(QUESTION, exposures=1000, setting=Setting(weight_bits=4))
    with pytest.raises(InputError, match="with 4-bit weights nothing is stored, whatever the size"):
        advice(four, (MEASURED,), extrapolates=True)
    small = replace(QUESTION, exposures=None, parameters=8000)
    with pytest.raises(InputError, match="8,000 parameters stores 90% of this after no number of"):
        advice(small, (MEASURED,), extrapolates=True)


def test_rare_facts_are_named_with_the_exposures_that_they_lack():
    asked = replace(
        QUESTION, exposures=None, parameters=40_000, rare=(Rare(0.1, 40), Rare(0.02, 400))
    )
    (answer,) = answers(asked, MEASURED)
    needed = answer.case.exposures
    rare, frequent = answer.rare
    assert (rare.facts, rare.exposures, rare.is_stored) == (400, 40, False)
    assert rare.needed == pytest.approx(needed)
    assert (frequent.facts, frequent.is_stored) == (80, True)


@given(share=st.floats(0.01, 0.9), rare=st.floats(0, 99), exposures=st.floats(100, 1000))
def test_rare_facts_are_read_as_rarely_as_they_are_seen(share, rare, exposures):
    asked = replace(QUESTION, exposures=exposures, rare=(Rare(share, rare),), tokens_per_fact=1)
    (answer,) = answers(asked, MEASURED)
    assert answer.tokens == pytest.approx(4000 * ((1 - share) * exposures + share * rare))
    back = replace(asked, exposures=None, tokens=answer.tokens, parameters=5e4)
    assume(back.exposures_of(4000) > rare)
    assert answers(back, MEASURED)[0].case.exposures == pytest.approx(exposures)
