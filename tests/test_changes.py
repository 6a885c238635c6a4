"""A published number never stands beside a run whose changes are not told."""

import io
import shlex
from dataclasses import replace

import pytest
from rich.console import Console

from physlm.config import composed, register
from physlm.provenance import changes_of
from physlm.report.printed import table, table_of_many
from physlm.science import caveat, differences
from tests.test_record import make_record

register()
CAPACITY = "+experiment=capacity_100x"


def run(words):
    return composed(tuple(shlex.split(words)))


def printed(result):
    text = io.StringIO()
    Console(file=text, width=250).print(result)
    return " ".join(text.getvalue().split())


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (f"{CAPACITY} seed=3 runtime.n_threads=1 logger=csv", {}),
        (
            f"{CAPACITY} data.n_people=20 model.tie_embeddings=false trainer.batch_size=8",
            {
                "data.n_people": "20 (1000)",
                "model.tie_embeddings": "false (true)",
                "trainer.batch_size": "8 (16)",
            },
        ),
        (
            "+experiment=cfg_learn eval=cfg_probing",
            {
                "eval.cfg_probing": "eval/cfg_probing (none)",
                "eval.cfg_accuracy": "none (eval/cfg_accuracy)",
                "eval.cfg_distribution": "none (eval/cfg_distribution)",
            },
        ),
        ("data=biod data.exposures=5", None),
    ],
)
def test_every_key_that_decides_the_result_and_differs_is_told(words, changed):
    assert changes_of(run(words)) == changed


def test_what_the_run_before_was_is_compared_too():
    single = """+experiment=extraction init_from="'+experiment=people +augmentation=single'" """
    assert changes_of(run(single)) == {
        "ancestor.data.augmentation.n_paraphrases": "1 (5)",
        "ancestor.data.augmentation.order": "fixed (random)",
    }


def test_two_kinds_differ_in_what_both_have():
    ours = {"kinds.data": "A", "data.n": 1, "data.of_a": 2, "seed": 0}
    theirs = {"kinds.data": "B", "data.n": 3, "data.of_b": 4, "seed": 0}
    assert differences(ours, theirs) == {"kinds.data": ("A", "B"), "data.n": (1, 3)}
    assert differences(ours, {**ours, "data.n": 1.0}) == {}


def test_the_table_lists_what_was_changed_beside_the_published_number():
    changed = run(f"{CAPACITY} data.n_people=20 data.exposures=30")
    record = make_record(config=changed.described())
    text = printed(table(record, changed))
    assert "changed from the experiment: data.exposures=30 (100), data.n_people=20 (1000)" in text
    own = run(CAPACITY)
    assert "changed" not in printed(table(make_record(config=own.described()), own))


def test_the_table_of_many_runs_lists_it_for_its_learning_rate():
    words = f"{CAPACITY} data.n_people=20 seeds=2 learning_rates=[6e-3,12e-3]"
    config = run(words)
    records = [make_record(run_id=str(i)) for i in range(2)]
    assert "data.n_people=20 (1000)" in printed(table_of_many(records, config, 6e-3))
    text = printed(table_of_many(records, config, 12e-3))
    assert "data.n_people=20 (1000), optim.learning_rate=0.012 (0.006)" in text


def test_without_a_published_number_nothing_needs_to_be_told():
    unpublished = replace(run(f"{CAPACITY} data.n_people=20"), published={})
    assert "changed" not in printed(table(make_record(), unpublished))


def test_what_is_not_known_is_said():
    assert caveat(None) == "it is not known whether the configuration is the experiment's own"
    assert caveat({}) == ""
