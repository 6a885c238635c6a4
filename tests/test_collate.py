import json
import math

import polars as pl
import pytest

from physlm.collate import main
from physlm.errors import InputError
from physlm.measurement import Metric
from physlm.report.results import Results
from physlm.report.summary import choose, summarise
from physlm.report.tables import find_records, tabulate, varying
from physlm.run_directory import RunDirectory
from tests.test_record import make_record

BITS = "capacity/bits_per_parameter{split=train}"


def write(folder, seed, width, value):
    config = {"seed": seed, "data": {"n_people": 1000}, "model": {"d_model": width}}
    metric = Metric(
        name="capacity/bits_per_parameter", value=value, unit="", n=1, dims={"split": "train"}
    )
    record = make_record(run_id=f"r{seed}{width}", config=config, metrics=(metric,))
    directory = RunDirectory(folder / record.run_id)
    directory.path.mkdir(parents=True)
    directory.write_record(record)
    return directory


@pytest.fixture
def runs(tmp_path):
    for seed, width, value in ((0, 16, 1.0), (1, 16, 2.0), (2, 16, 3.0), (0, 32, 5.0)):
        write(tmp_path / "runs", seed, width, value)
    return tmp_path / "runs"


def test_mean_standard_error_and_n_over_seeds(runs):
    table = tabulate(find_records([runs])[0])
    name = BITS
    narrow, wide = summarise(table, ["model.d_model"], [name]).to_dicts()
    assert narrow == {
        "model.d_model": 16,
        name: 2.0,
        f"{name}/n": 3,
        f"{name}/stderr": pytest.approx(1 / math.sqrt(3)),
    }
    assert wide == {"model.d_model": 32, name: 5.0, f"{name}/n": 1, f"{name}/stderr": None}


def test_how_a_run_was_carried_out_is_no_column():
    science = {"seed": 0, "data": {"n_people": 10}}
    table = tabulate(
        [
            make_record(
                run_id=str(i),
                config={**science, "profile": i == 1, "force": i == 1, "runtime": {"n_threads": i}},
            )
            for i in range(2)
        ]
    )
    assert not {"profile", "force", "runtime.n_threads"} & set(table.runs.columns)
    assert "data.n_people" in table.runs.columns


def test_the_table_keeps_what_varies(runs):
    records, _ = find_records([runs])
    columns = varying(tabulate(records), records).runs.columns
    assert {"seed", "model.d_model", "run_id", "parameters.total"} <= set(columns)
    assert "data.n_people" not in columns


def chosen(records, *conditions):
    results = tabulate(records)
    return varying(results.of_runs(choose(results.runs, conditions)), records)


def test_columns_and_metrics_that_no_chosen_run_has_are_left_out():
    metric = Metric(name="cfg/kl_nats", value=0.1, unit="", n=3, stderr=0.2, dims={"level": 2})
    records = [
        make_record(run_id="a", experiment="a", metrics=(metric,), parameters={"total": 1}),
        make_record(run_id="b", experiment="b", metrics=()),
    ]
    whole = varying(tabulate(records), records)
    assert whole.metrics.rows() == [("a", "cfg/kl_nats", "level=2", 0.1, 0.2, 3)]
    assert "parameters.embedding" in whole.runs.columns
    assert chosen(records, "experiment=b").metrics.is_empty()
    assert "parameters.embedding" not in chosen(records, "experiment=a").runs.columns


def test_null_is_a_value_and_what_a_run_does_not_have_is_none():
    """Junk without a token differs from junk with one; bioS has no share of junk to differ in."""
    junk = [{"junk_fraction": 0.5, "junk_token": token} for token in (None, "<|junk|>")]
    records = [
        make_record(run_id=str(i), config={"seed": 0, "data": data})
        for i, data in enumerate((*junk, {"n_people": 10}))
    ]
    columns = varying(tabulate(records), records).runs.columns
    assert "data.junk_token" in columns
    assert "data.junk_fraction" not in columns
    assert "data.junk_token" not in chosen(records, "run_id=0,2").runs.columns


@pytest.mark.parametrize("suffix", [".csv", ".json", ".md"])
def test_the_command_writes_every_format(runs, suffix):
    path = runs.parent / f"table{suffix}"
    assert main([str(runs), "--by", "model.d_model", "--output", str(path)]) == 0
    text = path.read_text()
    if suffix == ".csv":
        assert pl.read_csv(path)[BITS].to_list() == [2.0, 5.0]
    if suffix == ".json":
        assert [row["model.d_model"] for row in json.loads(text)] == [16, 32]
    if suffix == ".md":
        assert text.splitlines()[2] == "| 16 | 2 | 0.5774 | 3 |"


def test_a_damaged_record_is_named_and_the_others_are_tabulated(runs, capsys):
    bad = write(runs, 9, 64, 1.0)
    bad.record.write_text("{")
    assert main([str(runs), "--by", "model.d_model"]) == 2
    printed = capsys.readouterr()
    assert "record.json is not a record" in printed.err
    assert "| 32 | 5 |" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["nowhere", "--curves"], "nowhere does not exist"),
        (
            ["{runs}", "--by", "model.d_modle"],
            "no column model.d_modle; did you mean model.d_model",
        ),
        (["{runs}", "--by", "seed", "--metrics", "cfg/kl"], "no metric cfg/kl; see the rows of"),
        (
            ["{runs}", "--by", "seed", "--metrics", "capacity/bits_per_parameter"],
            "did you mean capacity/bits_per_parameter{{split=train}}?",
        ),
        (["{runs}", "--by", "seed", "--metrics", "cfg{{kl"], "metric cfg{{kl; write NAME or"),
        (["{runs}", "--where", "seeed=1"], "no column seeed; did you mean seed"),
        (
            [
                "{runs}",
                "--by",
                "model.d_model",
                "--metrics",
                "capacity/bits_per_parameter{{split=train}}",
                "--output",
                "table.xls",
            ],
            "table.xls; end the name",
        ),
        (["{runs}", "--output", "results.csv"], "results.csv; name a folder for runs.csv and"),
    ],
)
def test_bad_arguments_are_one_clear_line(runs, capsys, arguments, message):
    assert main([word.format(runs=runs) for word in arguments]) == 2
    error = capsys.readouterr().err
    assert message.format() in error
    assert error.count("\n") == 1


def test_means_are_of_the_metrics_with_published_numbers_unless_named(runs, capsys):
    assert main([str(runs), "--by", "model.d_model"]) == 0
    assert BITS in capsys.readouterr().out
    RunDirectory(runs / "other").path.mkdir()
    RunDirectory(runs / "other").write_record(
        make_record(run_id="other", published={}, experiment="o")
    )
    assert main([str(runs), "--by", "seed", "--where", "experiment=o"]) == 2
    assert "no published numbers; name the metrics by --metrics" in capsys.readouterr().err


def test_no_record_is_said(tmp_path):
    with pytest.raises(InputError, match="no record.json found"):
        tabulate(find_records([tmp_path])[0])


def test_runs_that_differ_in_more_than_their_seed_are_not_averaged(runs):
    with pytest.raises(InputError, match=r"model\.d_model vary within a group; add them to --by"):
        summarise(tabulate(find_records([runs])[0]), ["seed"], [BITS])


def test_where_keeps_the_runs_with_a_value(runs, capsys):
    assert main([str(runs), "--by", "data.n_people", "--where", "model.d_model=16"]) == 0
    assert "| 1000 | 2 | 0.5774 | 3 |" in capsys.readouterr().out
    table = tabulate(find_records([runs])[0]).runs
    assert len(choose(table, ["model.d_model=16,32", "seed=0"])) == 2
    assert main([str(runs), "--where", "model.d_model=99"]) == 2
    assert "no run with model.d_model=99" in capsys.readouterr().err


def test_diverged_runs_are_left_out_of_means_and_that_is_said(runs, capsys):
    RunDirectory(runs / "bad").path.mkdir()
    RunDirectory(runs / "bad").write_record(
        make_record(run_id="bad", status="diverged", metrics=(), stopped_at_step=3)
    )
    assert main([str(runs), "--by", "model.d_model"]) == 0
    printed = capsys.readouterr()
    assert "1 diverged runs are left out" in printed.err
    assert "| 32 | 5 |  | 1 |" in printed.out


def test_curves_of_all_runs_are_one_table(runs, capsys):
    kl, valid = "curve/cfg/kl_nats{split=test}", "curve/cfg/accuracy{prefix=0,split=test}"
    rows = [{"step": 10 * i, "curve/tokens": 100.0 * i, kl: 1.0 / i, valid: 0.0} for i in (1, 2)]
    for name in ("r016", "r116"):
        lines = [
            *rows,
            {"step": 25, "train/tokens": 250.0, "train/exposures": 2.5, "train/loss_nats": 1.0},
        ]
        (runs / name / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    path = runs.parent / "curve.csv"
    assert main([str(runs), "--curves", "--output", str(path)]) == 0
    table = pl.read_csv(path)
    assert table.columns == [
        "run_id",
        "experiment",
        "seed",
        "step",
        "tokens",
        "exposures",
        "metric",
        "dims",
        "value",
    ]
    assert table["seed"].to_list() == [0] * 5 + [1] * 5
    found = table.filter(metric="cfg/kl_nats", dims="split=test")
    assert found["value"].to_list() == [1.0, 0.5] * 2
    assert found["tokens"].to_list() == [100.0, 200.0] * 2
    assert set(table["dims"]) == {"", "split=test", "prefix=0,split=test"}
    loss = table.filter(metric="train/loss_nats")
    assert loss.select("step", "tokens", "exposures", "value").rows() == [(25, 250.0, 2.5, 1.0)] * 2
    assert main([str(runs), "--curves", "--where", "seed=1"]) == 0
    assert "0.5" in capsys.readouterr().out


def test_runs_and_metrics_are_two_tables_in_a_folder(runs, capsys):
    folder = runs.parent / "results"
    assert main([str(runs), "--output", str(folder)]) == 0
    found = Results.read(folder)
    assert found.runs["run_id"].to_list() == ["r016", "r032", "r116", "r216"]
    assert found.values(BITS).to_list() == [1.0, 5.0, 2.0, 3.0]
    assert found.metrics["n"].to_list() == [1] * 4
    assert main([str(runs)]) == 0
    printed = capsys.readouterr().out
    assert "| r032 | capacity/bits_per_parameter | split=train | 5 |  | 1 |" in printed


def test_no_curves_is_said(runs, capsys):
    assert main([str(runs), "--curves"]) == 2
    assert (
        "no curves found: no run directory has a metrics.jsonl; run something"
        in capsys.readouterr().err
    )


def write_record(folder, **changes):
    record = make_record(**changes)
    directory = RunDirectory(folder / record.run_id)
    directory.path.mkdir(parents=True, exist_ok=True)
    directory.write_record(record)
    (directory.path / "metrics.jsonl").write_text('{"step": 1, "curve/tokens": 9, "curve/x": 1}\n')


CODE = {
    "2 git revisions": [("f00", False), ("ba7", False)],
    "uncommitted code (1 of 2 runs)": [("f00", False), ("f00", True)],
    "uncommitted code (2 of 2 runs)": [("f00", None), ("f00", None)],
    "no known revision (1 of 2 runs)": [("f00", False), (None, None)],
}


@pytest.mark.parametrize(("fault", "code"), CODE.items())
@pytest.mark.parametrize("form", [[], ["--by", "data.n_people"], ["--curves"]])
def test_runs_of_several_revisions_or_dirty_code_are_refused_unless_asked_for(
    tmp_path, capsys, fault, code, form
):
    for i, (revision, is_dirty) in enumerate(code):
        software = {"git_revision": revision, "git_dirty": is_dirty}
        write_record(tmp_path, run_id=f"r{i}", software=software)
    assert main([str(tmp_path), *form]) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert f"error: these runs are of {fault}; run them again" in refused.err
    assert main([str(tmp_path), *form, "--mixed-revisions"]) == 0
    asked = capsys.readouterr()
    assert asked.out
    assert asked.err.startswith(f"note: these runs are of {fault}\n")


def test_one_of_several_revisions_can_be_chosen(tmp_path, capsys):
    for i, revision in enumerate(("f00", "ba7")):
        software = {"git_revision": revision, "git_dirty": False}
        write_record(tmp_path, run_id=f"r{i}", software=software)
    assert main([str(tmp_path), "--where", "git_revision=ba7"]) == 0
    assert "ba7" in capsys.readouterr().out


def test_runs_of_a_package_are_told_to_have_no_revision(tmp_path, capsys):
    for i in range(2):
        write_record(tmp_path, run_id=f"r{i}", software={"physlm": "0.1.0"})
    assert main([str(tmp_path)]) == 0
    assert "note: these runs are of no known revision (2 of 2 runs)" in capsys.readouterr().err


def test_one_run_with_two_records_is_refused(tmp_path, capsys):
    write_record(tmp_path / "a", run_id="r")
    write_record(tmp_path / "b", run_id="r")
    assert main([str(tmp_path)]) == 0
    write_record(tmp_path / "b", run_id="r", steps=7)
    assert main([str(tmp_path)]) == 2
    assert "run r has another record in these folders with different" in capsys.readouterr().err


def test_what_was_changed_stays_a_column_and_is_told_of_means(tmp_path, capsys):
    changed = {"data.n_people": "1000 (500)"}
    for i in range(2):
        write_record(tmp_path, run_id=f"r{i}", changed=changed)
    records, _ = find_records([tmp_path])
    assert "data.n_people" in varying(tabulate(records), records).runs.columns
    assert main([str(tmp_path), "--by", "model.d_model"]) == 0
    assert "note: changed from the experiment: data.n_people=1000 (500)" in capsys.readouterr().err
    assert main([str(tmp_path), "--by", "data.n_people"]) == 0
    assert capsys.readouterr().err == ""
    write_record(tmp_path, run_id="r2", changed=None)
    assert main([str(tmp_path), "--by", "model.d_model"]) == 0
    assert "not known whether the configuration is the experiment's own" in capsys.readouterr().err
