"""The planner's command line: plans, JSON, and refusals of one line."""

import json
import sys

import pytest

from physlm.plan import main
from tests.test_startup import MODULE, require_light

PLAN = MODULE.format("physlm.plan", "main(words)")
# Of 8.84 bits, as in the measured worlds, and within their sizes.
FACTS = ["--facts", "4000", "--bits-per-fact", "8.84"]


def planned(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


def refused(capsys, *words):
    """The line that refuses a command."""
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_a_plan_has_model_tokens_steps_source_and_range(capsys):
    text = planned(capsys, *FACTS, "--exposures", "200")
    assert "measured law" in text
    assert "parameters, planned" in text
    assert "tokens of training" in text
    assert "tokens per step" in text
    assert (
        "16 new runs without junk were off its predictions by 6% on average, by a factor of 1.2 at "
        "most (planner)" in text
    )
    assert "no answer of the published law: " in text
    assert "measured law: known for 30 to 1,000 exposures" in text
    assert "configurations in experiments/: capacity," in text


def test_published_and_measured_stand_side_by_side_where_one_is_extrapolated(capsys):
    text = planned(capsys, "--facts", "2e6", "--exposures", "200", "--extrapolate")
    assert "measured law, EXTRAPOLATED" in text
    assert "extrapolated: " in text
    assert "the laws differ by a factor of" in text


def test_the_example_among_junk_is_answered_by_the_published_law(capsys):
    words = ["--facts", "2e6", "--exposures", "200", "--junk", "0.5", "--domain-token"]
    text = planned(capsys, *words)
    assert "published law" in text
    assert "results 1 and 4, 12" in text
    assert "no answer of the measured law: " in text


def test_json_holds_what_the_table_shows(capsys):
    found = json.loads(planned(capsys, *FACTS, "--exposures", "200", "--rare", "0.1:40", "--json"))
    assert found["planned"] == "parameters"
    (answer,) = found["answers"]
    assert answer["law"] == "measured"
    assert not answer["is_extrapolated"]
    assert answer["low"] < answer["value"] == answer["parameters"] < answer["high"]
    assert answer["tokens"] == pytest.approx(22 / 6 * (3600 * 200 + 400 * 40))
    assert answer["rare"][0]["is_stored"] is False
    assert answer["fraction_stored_of_all"] < answer["fraction_stored"]
    assert answer["check"]["runs"] == 16
    assert answer["has_least_steps"] is False
    assert found["refused"][0]["law"] == "published"
    extrapolated = json.loads(
        planned(capsys, *FACTS, "--exposures", "20", "--json", "--extrapolate")
    )
    assert [one["is_extrapolated"] for one in extrapolated["answers"]] == [True, True]


def test_people_are_six_facts_of_bios_each(capsys):
    words = ["--exposures", "1000", "--json"]
    people = json.loads(planned(capsys, "--people", "1e6", *words))
    assert people == json.loads(planned(capsys, "--facts", "6e6", *words))
    assert people["bits_per_fact"] is None
    (published,) = people["answers"]
    assert published["tokens"] == pytest.approx(13 * 6e9)  # of bioS with GPT-2 tokens
    assert published["check"] is None


def test_tokens_per_fact_are_those_of_each_law_unless_they_are_given(capsys):
    words = [*FACTS, "--exposures", "1000", "--extrapolate", "--json"]
    for given, tokens in (([], [22 / 6, 13]), (["--tokens-per-fact", "5"], [5, 5])):
        answers = json.loads(planned(capsys, *words, *given))["answers"]
        assert [one["tokens_per_fact"] for one in answers] == pytest.approx(tokens)
        assert [one["tokens"] for one in answers] == pytest.approx([4e6 * n for n in tokens])


def test_steps_of_the_paper_are_the_least(capsys):
    text = planned(capsys, "--people", "1e6", "--exposures", "1000")
    assert "at least 50,000" in text
    assert "at most 1.56 million" in text


def test_rare_facts_of_every_flag_count(capsys):
    rare = ["--rare", "0.1:10", "--rare", "0.2:40"]
    text = planned(capsys, *FACTS, "--exposures", "200", *rare)
    assert "fraction stored of frequent facts" in text
    assert "of 400 facts seen 10 times the model stores 0%, extrapolated" in text
    assert "of 800 facts seen 40 times" in text
    assert "a model of 27,424 parameters stored nothing of facts seen 10 times among others" in text


def test_laws_of_which_one_stores_nothing_have_no_factor(capsys):
    words = [*FACTS, "--exposures", "1", "--parameters", "3e4", "--extrapolate"]
    text = planned(capsys, *words)
    assert "0.0%" in text
    assert "differ by a factor" not in text
    assert "extrapolated: 1 exposure (measured for 30 to 1,000)" in text


def test_no_extrapolation_has_more_bits_than_the_paper_ever_found(capsys):
    words = ["--facts", "4000", "--exposures", "1000", "--junk", "0.875", "--domain-token"]
    answers = json.loads(planned(capsys, *words, "--extrapolate", "--json"))["answers"]
    assert [one["bits_per_parameter"] for one in answers] == pytest.approx([1.8, 2.0], abs=0.05)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--facts", "0", "--exposures", "200"], "--facts 0; must be a number from 0.001 to 1e+15"),
        (["--facts", "many", "--exposures", "200"], "--facts: many; must be a number, such as 0.9"),
        (["--facts", "nan", "--exposures", "200"], "--facts nan; must be a number"),
        (["--facts", "inf", "--exposures", "200"], "--facts inf; must be a number from 0.001"),
        (
            ["--facts", "4000"],
            "too little is given; give two of --facts (or --people), --parameters",
        ),
        ([*FACTS, "--exposures", "-3"], "--exposures -3; must be a number from"),
        (
            [*FACTS, "--exposures", "9", "--tokens", "9"],
            "both set the length of training, leave out one of them",
        ),
        ([*FACTS, "--exposures", "200", "--junk", "1"], "--junk 1; the fraction of all tokens"),
        ([*FACTS, "--exposures", "200", "--junk", "-1"], "must be from 0 to 0.875, the most"),
        ([*FACTS, "--exposures", "200", "--domain-token"], "give the fraction of junk, such as"),
        (
            [*FACTS, "--exposures", "200", "--stored", "1"],
            "--stored 1; must be above 0 and below 1",
        ),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.1"],
            "--rare: 0.1; write the share of the facts",
        ),
        ([*FACTS, "--exposures", "200", "--rare", "2:9"], "must be above 0 and below 1"),
        ([*FACTS, "--exposures", "200", "--rare", "0.1:-1"], "must be 0 or from 0.001 to"),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.1:300"],
            "have fewer exposures than the others",
        ),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.6:9", "0.4:3"],
            "--rare: the shares add up to 1; must be below 1",
        ),
        (
            [*FACTS, "--tokens", "1e4", "--parameters", "3e4", "--rare", "0.5:90"],
            "--rare 0.5:90; rare facts must have fewer exposures than the others, which have 0",
        ),
        ([*FACTS, "--exposures", "200", "--rare", "10%:5"], "exposures, such as 0.1:10"),
        ([*FACTS, "--exposures", "200", "--rare", "0.1:1e99"], "must be 0 or from 0.001 to 1e+15"),
        (["--facts", "1e-300", "--exposures", "200"], "--facts 1e-300; must be a number from"),
        (["--facts", "1e308", "--exposures", "200"], "--facts 1e+308; must be a number from"),
        (["--people", "1e15", "--exposures", "200"], "--facts 6e+15; must be a number from"),
        ([*FACTS[:2], "--exposures", "9", "--bits-per-fact", "1e308"], "--bits-per-fact 1e+308"),
        ([*FACTS, "--exposures", "200", "--tokens-per-fact", "1e308"], "--tokens-per-fact 1e+308"),
        ([*FACTS, "--exposures", "1e308", "--extrapolate"], "--exposures 1e+308; must be"),
        (
            [*FACTS, "--exposures", "200", "--parameters", "3e4", "--stored", "0.8"],
            "which determine the stored fraction; leave out one of them",
        ),
        (["--refit", "--json"], "--json, --refit: --refit and --predict stand alone"),
        (["--predict", "x", "--facts", "9"], "--facts, --predict: --refit and --predict stand"),
        ([*FACTS, "--exposures", "200", "--junk", "0.5", "--mlp", "moe"], "not measured together"),
        (
            ["--people", "9", "--facts", "9", "--exposures", "200"],
            "with --facts 9; give one of them",
        ),
        (["--people", "9", "--bits-per-fact", "8", "--exposures", "200"], "give --facts"),
        ([*FACTS, "--exposures", "20"], "20 exposures (measured for 30 to 1,000)"),
        ([*FACTS, "--exposures", "200", "--weight-bits", "5"], "--weight-bits: invalid choice: 5"),
        ([*FACTS, "--exposures", "200", "--mlp", "kan"], "--help lists the options"),
        ([*FACTS, "--exposures", "200", "--tokens-per-fact", "0"], "--tokens-per-fact 0; must be"),
        (["--predict", "nowhere"], "does not exist"),
    ],
)
def test_bad_input_is_refused_with_its_value_rule_and_remedy(capsys, words, line):
    assert line in refused(capsys, *words)


def test_it_answers_without_anything_that_computes(tmp_path):
    commands = [
        (["--help"], "python -m physlm.plan --parameters 30e3"),
        ([*FACTS, "--exposures", "200"], "parameters, planned"),
        ([*FACTS, "--exposures", "20"], "--extrapolate answers outside the range"),
    ]
    require_light(PLAN, commands, tmp_path)


def test_it_answers_for_the_words_after_its_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["physlm.plan", *FACTS, "--exposures", "200"])
    assert main() == 0
    assert "parameters, planned" in capsys.readouterr().out
