"""The parent of a run is looked up once, and follows copies of its child."""

from dataclasses import replace

import pytest

from physlm.config import RunConfig, composed
from physlm.errors import InputError

PEOPLE = "+experiment=people +augmentation=single"


def child(*words, start=PEOPLE):
    return composed(("+experiment=extraction", f"init_from='{start}'", *words))


def test_the_parent_has_the_seed_and_runtime_of_its_child():
    words = (
        "seed=3",
        "runs_dir=elsewhere",
        "logger=csv",
        "runtime.n_threads=2",
        "runtime.n_evaluations=5",
    )
    parent, alone = child(*words).parent.config, composed((*PEOPLE.split(), *words))
    assert parent.run_id == alone.run_id
    assert (parent.run_dir, parent.logger) == (alone.run_dir, alone.logger)
    assert replace(parent.runtime, n_evaluations=5) == alone.runtime
    assert parent.runtime.n_evaluations == 0


def test_a_copy_of_a_configuration_has_its_own_parent():
    chosen = child("seeds=2")
    again = [child(f"seed={seed}") for seed in (0, 1)]
    assert [point.parent.config.seed for point in chosen.points] == [0, 1]
    assert [point.run_id for point in chosen.points] == [point.run_id for point in again]
    quiet = replace(chosen, runtime=replace(chosen.runtime, progress_bar=False))
    assert not quiet.parent.config.runtime.progress_bar


def test_a_parent_with_a_seed_keeps_it():
    fixed = child(start=f"{PEOPLE} seed=4")
    assert replace(fixed, seed=1).parent.config.seed == 4


def test_labelled_texts_are_read_in_the_window_of_the_run(tmp_path):
    """Of a model with learned positions, whose weights have one row for each."""
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "( )", "label": "valid"}')
    words = ("+experiment=inside", "data=labelled", f"data.source={source}", "eval=spectra")
    config = composed((*words, "init_from='+experiment=brackets data.seq_len=66'"))
    assert config.data.seq_len == config.parent.config.data.seq_len == 66


def test_grandparents_follow_too():
    nested = child(start=rf'+experiment=extraction "init_from=\'{PEOPLE}\'"')
    assert replace(nested, seed=2).parent.config.parent.config.seed == 2


def test_a_parent_that_was_never_looked_up_is_refused():
    sections = child()
    alone = RunConfig(data=sections.data, model=sections.model, init_from=PEOPLE)
    with pytest.raises(InputError, match="compose overrides by physlm.config.composed"):
        _ = alone.run_id


def test_the_parent_is_not_a_key():
    with pytest.raises(InputError, match="unknown key parent; name the parent run by init"):
        child("+parent=3")


def test_runs_that_start_from_each_other_are_refused(tmp_path):
    (tmp_path / "experiment").mkdir()
    for name, other in (("first", "second"), ("second", "first")):
        start = f"+experiment={other} hydra.searchpath=[{tmp_path}]"
        text = f"# @package _global_\ndefaults: [extraction, _self_]\ninit_from: {start}"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
    with pytest.raises(InputError, match=r"init_from=\+experiment=second .* starts from itself"):
        composed(("+experiment=first", f"hydra.searchpath=[{tmp_path}]"))


@pytest.mark.parametrize(
    "word", ["++seeds=3", "++learning_rates=[0.1]", "++runs_dir=x", "force=true"]
)
def test_overrides_that_the_child_sets_are_refused_in_every_form(word):
    with pytest.raises(InputError, match=r"init_from: "):
        composed(("+experiment=extraction", f"init_from='+experiment=people {word}'"))
