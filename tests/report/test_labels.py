"""Labels that no longer name what was run."""

from dataclasses import replace

import pytest

from physlm.config import composed
from physlm.report.labels import stale_labels
from tests.test_record import make_record


def record(*words, label=None):
    config = composed(("+experiment=mano", *words))
    described = config.described()
    described["label"] = config.label if label is None else label
    return replace(make_record(), experiment="mano", config=described)


def test_runs_of_the_named_architecture_have_no_note():
    own = ("optim.learning_rate=1e-2", "model.n_layers=3", "model.z_loss=0.1", "seed=4")
    assert stale_labels([record("+architecture=gla_canon", *own)]) == []
    assert stale_labels([record("+architecture=rope_quarter"), record("label=mine")]) == []


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("+architecture=gla", "model.mixer.gate_rank=8"), "model.mixer.gate_rank=8 instead of 16"),
        (("+architecture=rope_canon", "model.canon.positions=AC"), "model.canon.positions=AC"),
        (("+architecture=rope", "model.rope_fraction=0.5"), "model.rope_fraction=0.5"),
        (("+architecture=nope", "model.position=alibi"), "model.position=alibi instead of none"),
    ],
)
def test_what_was_changed_by_hand_is_shown_once(words, change):
    (note,) = stale_labels([record(*words), record(*words, "seed=1")])
    label = words[0].partition("=")[2]
    assert note.startswith(f"mano: label={label} has {change}")
    assert note.endswith("give the runs a label of their own by label=NAME")
    assert stale_labels([record(*words, "label=mine")]) == []


@pytest.mark.parametrize(("words", "label"), [("gdn", "gla"), ("rope", "rope_canon")])
def test_a_label_of_another_architecture_is_shown(words, label):
    (note,) = stale_labels([record(f"+architecture={words}", label=label)])
    assert note.startswith(f"mano: label={label} has ")
    assert ("kinds.model.mixer" if label == "gla" else "model.canon.positions=None") in note


def test_a_field_that_came_later_is_no_change():
    earlier = record("+architecture=gla")
    del earlier.config["model"]["mixer"]["has_silu"]
    assert stale_labels([earlier]) == []


def test_an_architecture_that_cannot_be_composed_is_said():
    run = record("+architecture=rope_canon")
    (note,) = stale_labels([replace(run, experiment="cfg_encoder")])  # Canon looks back only
    assert note.startswith("cfg_encoder: label=rope_canon: +architecture=rope_canon cannot be")
