"""An experiment is reproduced from its folder: what is missing is run, and claims are decided."""

import re
import shutil
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
import yaml
from rich.console import Console

from physlm.report.experiment import read_experiment
from physlm.report.reproduced import verdicts
from physlm.report.results import Results
from physlm.reproduce import main
from physlm.run_directory import RunDirectory
from tests.test_experiments import FOLDER

TINY = [
    "+experiment=capacity_100x",
    "data.n_people=20",
    "model.d_model=16",
    "model.n_layers=1",
    "model.n_heads=2",
    "trainer.batch_size=2",
    "optim.warmup_steps=2",
    "runtime.compile=false",
]

BITS = "capacity/bits_per_parameter{split=train}"

FIGURE = f"""
import sys
from pathlib import Path
from physlm.report.results import Results
folder = Path(__file__).parent
drawn = sorted(Results.read(folder).runs["data.exposures"].unique())
assert drawn == [3, 6], drawn
(folder / "figure.svg").write_text(str(len(Results.read(folder).values("{BITS}"))))
"""


def claim(name, **changes):
    return {
        "id": name,
        "statement": "Bits",
        "source": "Part 3.3",
        "published": "2 bits",
        "metric": BITS,
        "expect": {"at_most": 1},
    } | changes


@pytest.fixture(name="tiny")
def made(tmp_path, monkeypatch):
    """An experiment of two arms, each a fraction of a second, and its folder's parent."""
    monkeypatch.chdir(tmp_path)
    often, seldom = ({"data.exposures": n} for n in (6, 3))
    content = {
        "title": "A tiny law",
        "source": {"paper": "Part 3.3", "result": "result 1"},
        "seeds": [0, 1],
        "scale": "laptop",
        "runs": {"often": [*TINY, "data.exposures=6"], "seldom": [*TINY, "data.exposures=3"]},
        "claims": [
            claim("often-little", select=often),
            claim("seldom-little", select=seldom),
            claim("often-more", select=often, compared_to=seldom, expect={"at_least": -10}),
        ],
    }
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "experiment.yaml").write_text(yaml.safe_dump(content))
    (folder / "figure.py").write_text(FIGURE)
    return tmp_path


def records(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/record.json")}


def row(text, name):
    """The cells of a claim in what was printed."""
    (line,) = [line for line in text.splitlines() if f" {name} " in line]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_runs_are_made_collated_drawn_and_held_against_the_claims(tiny, capsys):
    assert main(["tiny"]) == 0
    printed = capsys.readouterr().out
    assert "4 runs at scale laptop: 0 finished, 4 to be run" in printed
    assert len(records(tiny)) == 4
    results = Results.read(tiny / "reproduced/tiny")
    assert (tiny / "reproduced/tiny/figure.svg").read_text() == "4"
    mean = results.filter(pl.col("data.exposures") == 6).values(BITS).mean()
    _, published, committed, here, expected, word = row(printed, "often-little")
    assert (published, committed, expected, word) == ("2 bits", "-", "at most 1", "holds")
    assert here.startswith(f"{mean:.3f} (")
    assert here.endswith("n = 2)")
    assert row(printed, "often-more")[-1] == "holds"


def test_runs_have_the_scale_of_the_experiment_unless_another_is_given(tiny, capsys):
    path = tiny / "tiny/experiment.yaml"
    path.write_text(path.read_text().replace("scale: laptop", "scale: gpu"))
    assert main(["tiny", "--dry-run"]) == 0
    assert "4 runs at scale gpu: 0 finished, 4 to be run" in capsys.readouterr().out
    assert main(["tiny", "--dry-run", "--scale", "laptop"]) == 0
    assert "4 runs at scale laptop" in capsys.readouterr().out


def test_what_is_finished_is_not_run_again_and_the_rest_is(tiny, capsys):
    assert main(["tiny", "--seeds", "0"]) == 0
    before = records(tiny)
    assert main(["tiny"]) == 0
    assert "4 runs at scale laptop: 2 finished, 2 to be run" in capsys.readouterr().out
    assert before.items() <= records(tiny).items()
    after = records(tiny)
    assert main(["tiny"]) == 0
    printed = capsys.readouterr()
    assert "4 finished, 0 to be run" in printed.out
    assert "run 1 of" not in printed.err
    assert records(tiny) == after


def test_a_part_of_the_arms_decides_its_own_claims_and_no_others(tiny, capsys):
    assert main(["tiny", "--only", "often"]) == 0
    printed = capsys.readouterr()
    assert row(printed.out, "often-little")[-1] == "holds"
    assert row(printed.out, "seldom-little")[3:] == ["-", "at most 1", "not run"]
    assert row(printed.out, "often-more")[-1] == "not run"
    assert "cannot draw these runs: AssertionError: [6]" in printed.err
    assert not (tiny / "reproduced/tiny/figure.svg").exists()


@pytest.mark.slow
def test_changed_runs_have_values_and_no_verdicts(tiny, capsys):
    assert main(["tiny", "--seeds", "0", "data.n_people=24"]) == 0
    printed = capsys.readouterr().out
    assert "values of changed runs, without verdicts" in printed
    assert "holds" not in printed
    results = Results.read(tiny / "reproduced/tiny")
    rows = [line for line in printed.splitlines() if line.startswith("| capacity_100x | ")]
    values = sorted(float(line.split(" | ")[2]) for line in rows)
    assert values == pytest.approx(sorted(results.values(BITS)), rel=1e-3)


def test_overrides_of_how_runs_are_carried_out_change_nothing(tiny, capsys):
    assert main(["tiny", "--seeds", "0", "--dry-run"]) == 0
    ids = capsys.readouterr().out.splitlines()[2:]
    assert main(["tiny", "--seeds", "0", "--dry-run", "runtime.progress_bar=false"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ids


def test_a_dry_run_lists_runs_and_makes_none(tiny, capsys):
    assert main(["tiny", "--seeds", "0", "--only", "seldom"]) == 0
    before = records(tiny)
    capsys.readouterr()
    assert main(["tiny", "--seeds", "0", "--dry-run"]) == 0
    _, _, *listed = capsys.readouterr().out.splitlines()
    (done,) = before
    assert listed[0].endswith("  to be run  capacity_100x seed=0  often")
    assert listed[1] == f"{done.parent.name}  finished   capacity_100x seed=0  seldom"
    assert records(tiny) == before


def test_runs_that_others_start_from_come_before_them(tiny, capsys):
    assert main(["manipulation_retrieval", "--seeds", "0", "--dry-run"]) == 0
    _, counts, *listed = capsys.readouterr().out.splitlines()
    assert counts.startswith("4 runs at scale laptop: 0 finished, 4 to be run")
    names = [line.split()[4] for line in listed]
    assert names == ["people", "extraction", "manipulation_retrieval", "manipulation_retrieval"]
    assert ["others start from it" in line for line in listed] == [True, True, False, False]


def test_a_run_that_fails_stops_no_other_and_is_told_every_time(tiny, capsys):
    words = ["tiny", "--seeds", "0", "--only", "often", "optim.learning_rate=1e30"]
    for _ in range(2):
        assert main(words) == 1
        printed = capsys.readouterr()
        assert "diverged: the loss is not finite" in printed.err
        assert "tables: " in printed.out


def test_published_runs_are_not_repeated_and_give_the_same_tables(tiny, capsys):
    assert main(["tiny"]) == 0
    (tiny / "runs").rename(tiny / "lost")
    assert main(["tiny", "--reuse", "reproduced", "--output", "again"]) == 0
    assert "4 runs at scale laptop: 4 published, 0 finished, 0" in capsys.readouterr().out
    for name in ("runs.csv", "metrics.csv", "figure.svg"):
        assert (tiny / "again" / name).read_bytes() == (
            tiny / "reproduced/tiny" / name
        ).read_bytes()
    assert not (tiny / "runs").exists()


def test_seeds_are_added_to_published_results(tiny, capsys):
    (tiny / "tiny/curve.csv").touch()  # this experiment draws curves
    assert main(["tiny", "--seeds", "0,1", "--output", "before"]) == 0
    (tiny / "runs").rename(tiny / "lost")
    words = ["tiny", "--seeds", "1,2", "--reuse", "before"]
    assert main([*words, "--dry-run"]) == 0
    _, counts, *listed = capsys.readouterr().out.splitlines()[-6:]
    assert counts == "4 runs at scale laptop: 2 published, 0 finished, 2 to be run"
    assert sorted(" ".join(line.split()[1:-2]) for line in listed) == [
        "published capacity_100x",
        "published capacity_100x",
        "to be run capacity_100x",
        "to be run capacity_100x",
    ]
    assert main(words) == 0
    assert len(records(tiny)) == 2
    before, after = (Results.read(tiny / name) for name in ("before", "reproduced/tiny"))
    assert sorted(after.runs["seed"]) == [1, 1, 2, 2]
    kept = before.filter(seed=1).metrics
    assert after.filter(seed=1).metrics.equals(kept)
    curves = pl.read_csv(tiny / "reproduced/tiny/curve.csv")
    assert curves.group_by("run_id").len()["len"].min() > 1
    assert sorted(curves["run_id"].unique()) == sorted(after.runs["run_id"])


def test_runs_with_two_published_results_are_refused(tiny, capsys):
    assert main(["tiny", "--seeds", "0"]) == 0
    folder = tiny / "changed"
    shutil.copytree(tiny / "reproduced/tiny", folder)
    results = Results.read(folder)
    Results(results.runs, results.metrics.with_columns(pl.col("value") + 1)).write(folder)
    (tiny / "runs").rename(tiny / "lost")
    capsys.readouterr()
    assert main(["tiny", "--reuse", "reproduced", "--reuse", "changed"]) == 2
    told = capsys.readouterr().err
    assert "has different results in" in told
    assert told.endswith("reuse one of these folders alone\n")
    Results(results.runs, results.metrics.reverse()).write(folder)  # another order of rows
    assert main(["tiny", "--reuse", "reproduced", "--reuse", "changed", "--dry-run"]) == 0


def test_earlier_runs_with_fewer_columns_are_reused(tiny):
    """Tables of one arm and seed lack columns in which its runs do not differ."""
    assert main(["tiny", "--seeds", "0", "--only", "often", "--output", "before"]) == 0
    assert "data.exposures" in Results.read(tiny / "before").runs.columns  # a claim selects it
    assert "data.n_people" in Results.read(tiny / "before").runs.columns  # changed
    (tiny / "runs").rename(tiny / "lost")
    assert main(["tiny", "--reuse", "before", "--output", "after"]) == 0
    (tiny / "lost").rename(tiny / "all")
    assert main(["tiny", "--runs-dir", "all", "--output", "alone"]) == 0
    after, alone = (Results.read(tiny / name) for name in ("after", "alone"))
    assert after.runs.columns == alone.runs.columns
    is_exact = [name for name in after.runs.columns if "second" not in name]
    assert after.runs.select(is_exact).equals(alone.runs.select(is_exact))
    assert after.metrics.equals(alone.metrics)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda runs, metrics: (runs, metrics.head(3)), "has no metrics"),
        (lambda runs, metrics: (runs, pl.concat([metrics, metrics])), "has a metric twice"),
        (lambda runs, metrics: (pl.concat([runs, runs]), metrics), "a run has two rows"),
        (lambda runs, metrics: (runs.drop("status"), metrics), "status"),
        (lambda runs, metrics: (runs.drop("device"), metrics), "device"),
        (
            lambda runs, metrics: (runs.with_columns(pl.lit("many").alias("steps")), metrics),
            "steps is 'many'",
        ),
        (
            lambda runs, metrics: (runs.with_columns(pl.lit(9).alias("data.exposures")), metrics),
            r"has data.exposures=[36], not 9",
        ),
        (lambda runs, metrics: (runs.with_columns(seed=pl.lit(7)), metrics), "has seed="),
        (lambda runs, metrics: (runs.drop(pl.col("^corpus.*$")), metrics), "corpus is {}"),
    ],
)
def test_damaged_tables_are_refused_in_one_line(tiny, damage, message, capsys):
    assert main(["tiny", "--seeds", "0"]) == 0
    folder = tiny / "reproduced/tiny"
    results = Results.read(folder)
    Results(*damage(results.runs, results.metrics)).write(folder)
    (tiny / "runs").rename(tiny / "lost")
    capsys.readouterr()
    assert main(["tiny", "--reuse", "reproduced"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert str(folder) in line
    assert not (tiny / "runs").exists()


def test_published_results_are_not_lost(tiny, capsys):
    assert main(["tiny"]) == 0
    before = Results.read(tiny / "reproduced/tiny").runs
    words = ["tiny", "--seeds", "0", "--reuse", "reproduced/tiny", "--output", "reproduced/tiny"]
    assert main(words) == 2  # its runs are finished here, too, so that none is taken
    assert "would lose 2 published runs" in capsys.readouterr().err
    (tiny / "runs").rename(tiny / "lost")
    assert main(words) == 2
    assert "would lose 2 published runs" in capsys.readouterr().err
    assert Results.read(tiny / "reproduced/tiny").runs.equals(before)


def test_a_published_run_that_others_start_from_is_made_again(tiny, capsys):
    folder = tiny / "published"
    shutil.copytree(FOLDER / "igsm_attention", folder)
    results = Results.read(folder)
    results.filter(experiment="igsm_learn").write(folder)
    assert main(["igsm_attention", "--reuse", "published", "--dry-run"]) == 0
    _, counts, *listed = capsys.readouterr().out.splitlines()
    assert counts == "6 runs at scale laptop: 0 finished, 6 to be run"
    assert all("to be run" in line for line in listed)
    results.write(folder)
    assert main(["igsm_attention", "--reuse", "published", "--seeds", "0,1,2,3", "--dry-run"]) == 0
    counts = capsys.readouterr().out.splitlines()[1]
    assert counts == "8 runs at scale laptop: 6 published, 0 finished, 2 to be run"


def test_every_committed_experiment_is_reproduced_from_all_tables(tiny, capsys):
    """Experiments share runs, whose rows stand in several tables in different orders."""
    for name in ("capacity", "capacity_seeds", "capacity_gated_mlp", "igsm_learn"):
        assert main([name, "--reuse", str(FOLDER), "--dry-run"]) == 0
        counts = capsys.readouterr().out.splitlines()[1]
        assert counts.endswith(" published, 0 finished, 0 to be run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["capacitty"], "capacitty: no such experiment; capacity or "),
        (["capacity", "--only", "10x"], "--only 10x: no such arm; one of 1000x, 100x, scaling"),
        (["capacity", "--seeds", "-1"], "--seeds -1; must be integers of at least 0"),
        (
            ["capacity", "--seeds", "a"],
            "--seeds a; must be integers of at least 0, such as --seeds 0,1",
        ),
        (["capacity", "--scale", "big"], "argument --scale: invalid choice: 'big'"),
        (["capacity", "--quick"], "unrecognized arguments: --quick; --help lists"),
        (["capacity", "data.n_peopel=5"], "unknown key data.n_peopel; did you mean data.n_people?"),
        (["capacity", "data.n_people=0"], "n_people=0; "),
        (["capacity", "seed=5"], "seed=5: use --seeds instead"),
        (
            ["tiny", "--output", "tiny", "--seeds", "0"],
            "--output tiny holds the tables of the whole",
        ),
        (
            ["tiny", "--output", "tiny", "--scale", "gpu"],
            "leave out --only, --seeds, --scale and overrides, or name another folder",
        ),
        (
            ["capacity_seeds", "--reuse", "PUBLISHED", "--output", "PUBLISHED", "--scale", "gpu"],
            "would lose 100 published runs; name another folder, or leave out --only, --seeds, --",
        ),
        (["tiny", "--reuse", "none"], "none is not a folder; name one of published results"),
        (["tiny", "--reuse", "tiny"], "tiny has no runs.csv; name a folder of published results"),
        ([], "the following arguments are required: experiment"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_run(tiny, words, message, capsys):
    published = str(FOLDER / "capacity_seeds")
    assert main([published if word == "PUBLISHED" else word for word in words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert message in line
    assert not (tiny / "runs").exists()


def test_committed_results_give_the_numbers_and_verdicts_of_the_ledger():
    folder = FOLDER / "capacity"
    table = verdicts(read_experiment(folder), folder, Results.read(folder), "laptop")
    console = Console(width=400)
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    lines = (folder / "README.md").read_text().splitlines()
    for one in read_experiment(folder).claims:
        _, published, committed, here, expected, word = row(text, one.id)
        (line,) = [line for line in lines if line.startswith(f"| `{one.id}`: ")]
        assert committed == here
        assert f"| {here} | {expected} (laptop) | **{word.split(':')[0]}**" in line
        assert f"| {published} (" in line


@pytest.mark.slow
def test_an_interrupted_reproduction_goes_on(tiny):
    words = [
        sys.executable,
        "-m",
        "physlm.reproduce",
        "tiny",
        "data.exposures=200",
        "runtime.checkpoint_seconds=0",
    ]
    started = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for _ in range(600):
        if list(tiny.glob("runs/*/last.ckpt")):
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130, told
    assert "interrupted: asked to stop; run the same command to resume" in told.splitlines()[-1]
    assert not (tiny / "reproduced").exists()
    done = subprocess.run(words[:-1], check=True, capture_output=True, text=True)
    assert "values of changed runs" in done.stdout
    assert len(records(tiny)) == 2


@pytest.mark.slow
def test_runs_side_by_side_are_those_one_after_the_other(tiny, capsys):
    assert main(["tiny", "--processes", "--output", "together"]) == 0
    assert main(["tiny", "--runs-dir", "others", "--output", "alone"]) == 0
    together, alone = (Results.read(tiny / name).table(BITS) for name in ("together", "alone"))
    ids = ["run_id", BITS]
    assert together.select(ids).sort("run_id").equals(alone.select(ids).sort("run_id"))
    assert all(RunDirectory(path.parent).record.exists() for path in records(tiny))
