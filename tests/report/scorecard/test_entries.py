"""What the metrics of records become on a scorecard."""

import math
from dataclasses import replace

from physlm.data.public.questions import TASKS
from physlm.data.tasks.manipulation_tasks import tasks
from physlm.measurement import Metric, parse_metric
from physlm.report.scorecard.card import TESTS, Card, Entry, Section, rows_of, shown
from physlm.report.scorecard.entries import entries_of
from physlm.report.scorecard.subject import DEPTH, FIGURES, OWN, SPECTRA


def metric(text, value, unit="fraction", stderr=0.03, n=40):
    name, dims = parse_metric(text)
    return Metric(name=name, value=value, unit=unit, n=n, stderr=stderr, dims=dims)


def by_label(metrics):
    return {entry.label: entry for entry in entries_of(metrics)}


def test_every_named_test_has_a_scorer():
    assert (*OWN, FIGURES, DEPTH, SPECTRA) == TESTS


def test_chance_and_n_stand_beside_accuracies():
    dims = "{split=held_out_people,task=birth_month_mod_2}"
    found = by_label(
        [
            metric(f"manipulation/accuracy{dims}", 0.55),
            metric(f"manipulation/chance{dims}", 0.48, stderr=0.02),
            metric(f"manipulation/accuracy_with_hint{dims}", 0.8, stderr=0.04),
            metric(f"manipulation/hint_accuracy{dims}", 0.7),
            metric("manipulation/accuracy{split=train_people,task=birth_month_mod_2}", 1.0),
        ]
    )
    plain = found["birth month mod 2"]
    assert (plain.section, plain.value, plain.stderr, plain.n, plain.chance) == (
        Section.classification,
        0.55,
        0.03,
        40,
        0.48,
    )
    hinted = found["birth month mod 2 ... with the facts written first"]
    assert (hinted.value, hinted.chance) == (0.8, 0.48)
    effect = found["birth month mod 2 ... effect of writing the facts"]
    assert math.isclose(effect.value, 0.25)
    assert math.isclose(effect.stderr, 0.05)
    assert found["birth month mod 2 ... train people (control)"].value == 1
    assert found["birth month mod 2 ... facts that are written right"].chance is None


def test_tasks_stand_in_the_sections_of_the_paper():
    names = {
        "birth_year": Section.retrieval,
        "birth_city_then_employer": Section.retrieval,
        "city_of_employer": Section.retrieval,
        "major_rank_mod_20": Section.classification,
        "birth_month_ranking": Section.comparison,
        "major_rank_subtraction": Section.comparison,
        "full_name_from_all": Section.inverse,
        "born_in_year": Section.inverse,
    }
    assert names.keys() <= tasks().keys()
    for name, section in names.items():
        text = f"manipulation/accuracy{{split=held_out_people,task={name}}}"
        (entry,) = entries_of([metric(text, 0.5)])
        assert (entry.section, entry.metric) == (section, text)


def test_public_figures_have_their_controls():
    metrics = [
        metric(f"public_figures/{name}{{split=test,task={task.name}}}", value)
        for task in TASKS
        for name, value in (("accuracy", 0.2), ("chance", 0.1), ("accuracy_given_hint", 0.9))
    ]
    metrics += [
        metric(f"public_figures/phrasing_accuracy{{phrasing={k},split=test,task=birth_date}}", v)
        for k, v in enumerate((0.2, 0.1, 0.5, 0.3))
    ]
    found = by_label(metrics)
    inverse = found["public figures: full name from birth date"]
    assert (inverse.section, inverse.chance) == (Section.inverse, 0.1)
    given = "public figures: full name from birth date ... the facts given among others' (control)"
    assert found[given].value == 0.9
    assert found["public figures: birth date ranking"].section == Section.comparison
    assert found["public figures: birth month mod 2"].section == Section.classification
    assert found["public figures: birth date, in the worst of 4 wordings"].value == 0.1
    assert found["public figures: birth date, in the best of 4"].value == 0.5


def test_depth_has_a_profile_and_spectra_count_what_is_decided():
    profile = (0.1, 0.4, 1.0)
    dims = [f"arm={arm},metric=hfer" for arm in ("a", "b", "c")]
    found = by_label(
        [
            *(metric(f"depth/agreement{{lens=own,state={k}}}", v) for k, v in enumerate(profile)),
            metric("depth/agreement{lens=shuffled,state=0}", 0.7),
            metric("depth/settled_fraction{lens=own}", 0.6),
            *(metric(f"spectra/is_beyond{{{d}}}", v) for d, v in zip(dims, (1, 1, 0), strict=True)),
            *(
                metric(f"spectra/is_decided{{{d}}}", v)
                for d, v in zip(dims, (1, 0, 1), strict=True)
            ),
            metric("spectra/planted_power{corruption=swapped,metric=any,n_errors=1}", 0.9),
            metric("spectra/planted_power{corruption=swapped,metric=any,n_errors=2}", 0.8),
        ]
    )
    assert found["fraction of blocks until the prediction stays"].profile == profile
    beyond = found["metrics that tell right from wrong beyond length and likelihood"]
    assert (beyond.value, beyond.n) == (1, 2)
    assert found["fraction of planted effects that is found (control)"].value == 0.8
    assert shown(beyond) == "1 of 2"
    assert shown(replace(beyond, value=0, n=0)) == "not decided"


def test_capacity_stands_beside_its_upper_bound():
    found = by_label(
        [
            metric("capacity/bits_per_parameter{split=train}", 1.9, "bits/parameter"),
            metric("capacity/maximum_bits_per_parameter", 2.05, "bits/parameter"),
        ]
    )
    assert found["bits of knowledge per parameter"].value == 1.9
    assert found["upper bound of its world"].value == 2.05


def test_models_share_rows_in_the_order_of_sections():
    accuracy = metric("public_figures/accuracy{split=test,task=birth_date}", 0.2)
    trained = metric("public_figures/accuracy{split=train,task=birth_date}", 0.9)
    capacity = metric("capacity/bits_per_parameter{split=train}", 1.9, "bits/parameter")
    cards = [
        Card(name, "run", 5, entries_of(own), {}, ())
        for name, own in (("a", [accuracy]), ("b", [trained, capacity]))
    ]
    assert rows_of(cards) == [
        (Section.capacity, "bits of knowledge per parameter"),
        (Section.retrieval, "public figures: birth date"),
    ]


def test_what_goes_on_from_a_row_follows_it_whichever_model_has_it():
    def of(*labels):
        entries = tuple(
            Entry(section=Section.retrieval, label=label, value=0.5, unit="fraction", n=3)
            for label in labels
        )
        return Card("name", "run", None, entries, {}, ())

    rows = rows_of([of("year", "place"), of("year ... given", "year", "place ... given")])
    assert [label for _, label in rows] == ["year", "year ... given", "place", "place ... given"]
    assert shown(replace(of("year").entries[0], stderr=0.012, chance=0.25)) == (
        "0.5 ± 0.01 (chance 0.25, n 3)"
    )
