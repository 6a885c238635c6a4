"""Natural mistakes on the command line, each answered by one line that names the remedy."""

import pytest

from physlm import architectures, claims, collate, dashboard, page, plan, publish, scorecard
from tests.command_line import TINY_RUN, called

BASE = "+experiment=capacity_100x"

TYPOS = {
    (BASE, "optim.lr=3e-3"): "unknown key optim.lr; did you mean optim.learning_rate?",
    (BASE, "+optim.lr=3e-3"): "unknown key optim.lr; did you mean optim.learning_rate?",
    (BASE, "trainer.batchsize=8"): "did you mean trainer.batch_size?",
    (BASE, "model.hidden_size=64"): "did you mean model.d_model?",
    (BASE, "trainer.epochs=3"): "did you mean data.exposures?",
    (BASE, "n_people=50"): "unknown key n_people; did you mean data.n_people?",
    ("+experiment=capacity_junk", "junk=none"): "junk needs a plus: write +junk=none",
    (BASE, "model/mixer=gla"): "write +model/mixer=gla",
    ("+experment=capacity_100x",): "did you mean +experiment=capacity_100x?",
    ("+experiment=capacity_100",): "is not an option; did you mean capacity_100x?",
    ("+sweep=capacity_junk",): "did you mean +sweeps=capacity_junk?",
    ("+sweeps=capacity_jnk", "seed=0,1"): "is not an option; did you mean capacity_junk?",
    (BASE, "lunacher=slurm"): "did you mean launcher=slurm?",
    (BASE, "data.attribute_order=fxed"): "one of random, fixed, coupled; did you mean fixed?",
    (BASE, "seed=1.5"): "seed=1.5; must be a whole number",
    (BASE, "seed=0,1"): "seed=0,1 has several values; add --multirun to run each of them",
    (BASE, "data.n_people"): "data.n_people is not KEY=VALUE",
    (BASE, "+seed=1"): "leave out the plus: seed=1",
    (BASE, "~lunacher"): "did you mean ~launcher?",
    (BASE, "--muktirun"): "unknown flag --muktirun; did you mean --multirun?",
    ("+experiment=cfg_learn", "+augmentation=multi5"): (
        "+augmentation=multi5 sets data.augmentation, which data=cfg does not have; worlds with "
        "it: bios"
    ),
    (BASE, "model.canon.positions=abcd"): "its section is null; choose one first, as +canon=abcd",
    (BASE, "data.frequencies=3"): "data.frequencies=3; must be a list, as [3]",
    (BASE, "-m", "--cfg", "job"): "--cfg with --multirun; leave out --multirun",
}


@pytest.mark.parametrize("words", TYPOS, ids=lambda words: words[-1])
def test_a_typo_is_one_line_that_names_the_remedy(words, tmp_path):
    done = called(*words, cwd=tmp_path, check=2)
    assert TYPOS[words] in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Config'" not in done.stderr
    assert done.stdout == ""


def test_an_own_experiment_with_a_key_that_nothing_has_is_one_line(tmp_path):
    folder = tmp_path / "own/experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nmodel:\n  widht: 3\n")
    done = called("--config-dir", "own", "+experiment=mine", cwd=tmp_path, check=2)
    assert "+experiment=mine sets model.widht, which model=decoder does not have" in done.stderr
    assert done.stderr.endswith("; no other model has it, either\n")


@pytest.mark.parametrize(
    "command", [architectures, claims, collate, dashboard, page, plan, publish, scorecard]
)
def test_an_unknown_flag_of_a_command_is_one_line(command, capsys):
    assert command.main(["--outptu", "x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith("; --help lists the options\n")
    assert said.count("\n") == 1


def test_without_a_word_help_is_shown_and_nothing_is_run(tmp_path):
    done = called(cwd=tmp_path, check=0)
    first, *_ = done.stdout.splitlines()
    assert "+experiment=NAME" in first
    assert "data=bios" in first
    assert "Groups (choose with group=option" in done.stdout
    assert not list(tmp_path.iterdir())


def test_help_explains_keys_in_units_and_options(tmp_path):
    shown = called("--help", BASE, cwd=tmp_path, check=0).stdout
    lines = {line.split(":")[0].strip(): line for line in shown.splitlines()}
    assert lines["checkpoint_seconds"].endswith("# seconds between checkpoints")
    assert lines["d_model"].split("#")[0].split() == ["d_model:", "32"]
    assert lines["d_model"].endswith("# width of the residual stream")
    assert lines["attribute_order"].endswith("one of random, fixed, coupled")
    assert lines["learning_rate"].endswith("# peak, after warm-up")
    assert "base" not in lines


def test_version_is_ours(tmp_path):
    assert called("--version", cwd=tmp_path, check=0).stdout.startswith("physlm 0.1.0")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_flags_may_stand_anywhere(place, tmp_path):
    words = [BASE, "data.n_people=77"]
    words[place:place] = ["--cfg", "job"]
    assert "n_people: 77" in called(*words, cwd=tmp_path, check=0).stdout


def test_the_configuration_of_a_sweep_is_its_own(tmp_path):
    words = ("+sweeps=manipulation_inverse_alone", "--cfg", "job", "data.hint_fraction=0.25")
    shown = called(*words, cwd=tmp_path, check=0).stdout
    assert shown.startswith("# Point 1 of 12. Keys that differ between points:\n#   seed=0,1,2\n")
    for line in ("exposures: 200", "- full_name_from_all", "hint_fraction: 0.25"):
        assert line in shown


def test_a_run_to_start_from_needs_no_quotes_within_quotes(tmp_path):
    configurations = [
        called(
            "+experiment=extraction", f"init_from={start}", "--cfg", "job", cwd=tmp_path, check=0
        )
        for start in ("+experiment=people seed=3", "'+experiment=people seed=3'")
    ]
    assert configurations[0].stdout == configurations[1].stdout
    assert "init_from: +experiment=people seed=3" in configurations[0].stdout


def test_the_experiment_comes_first_wherever_it_stands(tmp_path):
    words = ("+experiment=capacity_junk", "+junk=half")
    shown = [
        called(*order, "--cfg", "job", cwd=tmp_path, check=0).stdout
        for order in (words, words[::-1])
    ]
    assert shown[0] == shown[1]


@pytest.mark.slow
def test_a_sweep_ends_with_a_table_of_its_points(tmp_path):
    words = ("seed=0,1", "optim.learning_rate=1e-3,2e-3")
    shown = called("--multirun", *TINY_RUN, *words, cwd=tmp_path, check=0).stdout
    table = shown.partition("4 points")[2]
    assert table.count("optim.learning_rate") == 1
    assert "seed" not in table.partition("mean +-")[0]
    assert table.count("+-") == 3  # of each rate, and in the caption
    *_, last = shown.splitlines()
    assert (tmp_path / last.removeprefix("logs: ") / "multirun.yaml").exists()


def test_it_is_said_when_all_points_failed(tmp_path):
    words = ("--multirun", *TINY_RUN, "model.d_model=16", "model.n_heads=3,5")
    done = called(*words, cwd=tmp_path, check=2)
    assert done.stderr.splitlines()[-1] == "sweep: all 2 runs failed, as reported above"
