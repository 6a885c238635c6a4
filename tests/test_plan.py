"""The planner's command line: plans, JSON, and refusals of one line."""

import json
import sys

import pytest

from physlm.plan import main
from tests.test_startup import COMMAND, loaded

PLAN = COMMAND.replace("physlm.run", "physlm.plan")
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
    assert "steps" in text
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
    assert found["refused"][0]["law"] == "published"
    extrapolated = json.loads(
        planned(capsys, *FACTS, "--exposures", "20", "--json", "--extrapolate")
    )
    assert [one["is_extrapolated"] for one in extrapolated["answers"]] == [True, True]


def test_people_are_six_facts_of_bios_each(capsys):
    words = ["--exposures", "1000", "--json"]
    people = json.loads(planned(capsys, "--people", "1e6", *words))["answers"][0]
    facts = json.loads(planned(capsys, "--facts", "6e6", *words))["answers"][0]
    assert people == facts


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--facts", "0", "--exposures", "200"], "--facts 0; must be a number above 0"),
        (["--facts", "many", "--exposures", "200"], "--facts many; must be a number, such as 1000"),
        (["--facts", "nan", "--exposures", "200"], "--facts nan; must be a number"),
        (["--facts", "inf", "--exposures", "200"], "--facts inf; must be a number above 0"),
        (
            ["--facts", "4000"],
            "too little is given; give two of --facts (or --people), --parameters",
        ),
        ([*FACTS, "--exposures", "-3"], "--exposures -3; must be a number above 0"),
        ([*FACTS, "--exposures", "9", "--tokens", "9"], "say the same; leave out one of them"),
        ([*FACTS, "--exposures", "200", "--junk", "1"], "--junk 1; the fraction of all tokens"),
        ([*FACTS, "--exposures", "200", "--junk", "-1"], "must be at least 0 and below 1"),
        ([*FACTS, "--exposures", "200", "--domain-token"], "give the fraction of junk, such as"),
        (
            [*FACTS, "--exposures", "200", "--stored", "1"],
            "--stored 1; must be above 0 and below 1",
        ),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.1"],
            "--rare 0.1; write the share of the facts",
        ),
        ([*FACTS, "--exposures", "200", "--rare", "2:9"], "must be above 0 and below 1"),
        ([*FACTS, "--exposures", "200", "--rare", "0.1:-1"], "must be a number from 0 up"),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.1:300"],
            "have fewer exposures than the others",
        ),
        (
            [*FACTS, "--exposures", "200", "--rare", "0.6:9", "0.4:3"],
            "--rare: shares of 1 in all; must be below 1 together",
        ),
        (
            [*FACTS, "--tokens", "1e4", "--parameters", "3e4", "--rare", "0.5:90"],
            "--tokens 10000; the rare facts alone need 6.6e+05; raise it",
        ),
        (
            ["--people", "9", "--facts", "9", "--exposures", "200"],
            "with --facts 9; give one of them",
        ),
        (["--people", "9", "--bits-per-fact", "8", "--exposures", "200"], "give --facts"),
        ([*FACTS, "--exposures", "20"], "20 exposures (measured for 30 to 1,000)"),
        ([*FACTS, "--exposures", "200", "--weight-bits", "5"], "--weight-bits: invalid choice: 5"),
        ([*FACTS, "--exposures", "200", "--mlp", "kan"], "--help lists what can be given"),
        ([*FACTS, "--exposures", "200", "--tokens-per-fact", "0"], "--tokens-per-fact 0; must be"),
        (["--predict", "nowhere"], "does not exist"),
    ],
)
def test_bad_input_is_refused_with_its_value_rule_and_remedy(capsys, words, line):
    assert line in refused(capsys, *words)


@pytest.mark.parametrize(
    ("words", "said", "seconds"),
    [
        (["--help"], "python -m physlm.plan --parameters 30e3", 2),
        ([*FACTS, "--exposures", "200"], "parameters, planned", 3),
        ([*FACTS, "--exposures", "20"], "--extrapolate answers all the same", 3),
    ],
)
def test_it_answers_without_anything_that_computes(words, said, seconds):
    heavy, used, printed = loaded(PLAN, *words)
    assert said in printed
    assert heavy == set()
    assert (
        used < 2.5 * seconds
    )  # as in tests/test_startup.py, of a machine that has other things to do


def test_it_answers_for_the_words_after_its_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["physlm.plan", *FACTS, "--exposures", "200"])
    assert main() == 0
    assert "parameters, planned" in capsys.readouterr().out
