"""Claims are decided by the results of their own runs, and by no others."""

from dataclasses import replace

import polars as pl
import pytest
import yaml

from physlm.claims import main
from physlm.errors import InputError
from physlm.report.decisions import decided_experiments
from physlm.report.ledger import all_claims
from physlm.sweep import configurations
from tests.report.decided import VALUES, long

RUN = "+experiment=capacity_1000x"


def ledger(folders):
    """Every claim of some folders, in full."""
    return "".join(all_claims(decided) for decided in decided_experiments(folders))


def of_runs(words, values, **columns):
    """Results of the runs of some words, one seed a value."""
    rows = []
    for seed, value in enumerate(values):
        for run in configurations(tuple(words.split()), "laptop"):
            run_id = replace(run, seed=seed).run_id
            rows.append(
                {
                    "run_id": run_id,
                    "bits": value,
                    "data.exposures": run.data.exposures,
                    "seed": seed,
                    "scale": "laptop",
                    "status": "finished",
                    "git_revision": "f00",
                    "git_dirty": False,
                }
                | columns
            )
    return pl.DataFrame(rows, infer_schema_length=None)


CLAIM = {
    "statement": "About 2 bits",
    "source": "Part 3.3",
    "published": "2",
    "metric": "bits",
    "select": {"data.exposures": 1000},
    "expect": {"at_least": 1.8},
}


def folder_of(tmp_path, results, *claims, runs=(RUN,)):
    """As of an experiment."""
    tmp_path.mkdir(exist_ok=True)
    long(results).write(tmp_path)
    entries = [{"id": f"claim-{i}"} | CLAIM | changes for i, changes in enumerate(claims)]
    write_experiment(tmp_path, entries, runs)
    return tmp_path


def write_experiment(folder, claims, runs=(RUN,)):
    arms = {f"arm{i}": words.split() for i, words in enumerate(runs)}
    content = {
        "title": "Capacity",
        "source": {"paper": "Part 3.3", "result": "result 1"},
        "seeds": 3,
        "scale": "laptop",
        "runs": arms,
        "claims": claims,
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(content))


def test_runs_of_another_configuration_decide_no_claim(tmp_path, capsys):
    """Whether or not results show in a column what was changed."""
    changed = of_runs(f"{RUN} data.n_people=200", VALUES[1000])
    shown = changed.with_columns(pl.lit(200).alias("data.n_people"))
    less_seen = of_runs(f"{RUN} data.exposures=30", VALUES[1000])
    folders = [
        folder_of(tmp_path / str(i), results, {})
        for i, results in enumerate((changed, shown, less_seen))
    ]
    assert main([str(folder) for folder in folders]) == 0
    assert "3 without runs of their configuration" in capsys.readouterr().out
    rows = [row for row in ledger(folders).splitlines() if "`: About 2 bits" in row]
    assert all("**not this claim's configuration**: " in row for row in rows)
    assert "they differ in a value that no column of the results shows" in rows[0]
    assert "data.n_people=200, this claim's experiment has 1000" in rows[1]
    assert "data.exposures=30, this claim's experiment has 1000" in rows[2]


def test_runs_of_another_configuration_are_left_out_and_counted(tmp_path):
    own, other = (
        of_runs(f"{RUN}{word}", v)
        for word, v in (("", [1.9, 1.95, 2.0]), (" model.d_model=24", [9.0, 9.1]))
    )
    folder = folder_of(tmp_path, pl.concat([own, other]), {})
    assert "1.950 (1.826 to 2.074, n = 3, 2 of other configurations left out)" in ledger([folder])


def test_both_sides_of_a_comparison_are_of_its_runs(tmp_path):
    ours, theirs = (of_runs(f"{RUN} data.exposures={n}", VALUES[n]) for n in (1000, 100))
    rule = {"compared_to": {"data.exposures": 100}, "expect": {"at_least": 0}}
    folder = folder_of(tmp_path, pl.concat([ours, theirs]), rule)
    assert "not this claim's configuration**: data.exposures=100" in ledger([folder])
    runs = (RUN, f"{RUN} data.exposures=10,100")
    folder = folder_of(tmp_path, pl.concat([ours, theirs]), rule, runs=runs)
    assert "**holds**" in ledger([folder])


def test_results_without_run_ids_are_refused(tmp_path):
    folder = folder_of(tmp_path, of_runs(RUN, [1.9, 2.0]), {})
    pl.read_csv(folder / "runs.csv").drop("run_id").write_csv(folder / "runs.csv")
    with pytest.raises(InputError, match="claim claim-0: results have no column run_id"):
        ledger([folder])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{RUN} data.n_poeple=3", "n_poeple"),
        ("+sweeps=nothing", r"\+sweeps=nothing: .* does not exist"),
    ],
)
def test_overrides_that_do_not_compose_are_refused(tmp_path, words, message):
    folder = folder_of(tmp_path, of_runs(RUN, [1.9, 2.0]), {}, runs=[words])
    with pytest.raises(InputError, match=f"claim claim-0: .*{message}"):
        ledger([folder])


@pytest.mark.parametrize(
    "repeat",
    [
        {"select": {"status": "finished", "data.exposures": 1000}, "expect": {"at_least": 1.8}},
        {"select": {"scale": "laptop"}},
        {"times": 1, "minus": None},
    ],
)
def test_two_claims_of_one_rule_and_the_same_runs_are_refused(tmp_path, repeat):
    results = of_runs(RUN, [1.95, 1.95, 1.95])
    first = folder_of(tmp_path / "one", results, {})
    second = folder_of(tmp_path / "two", results, repeat)
    message = "claim two/claim-0 has the same rule and runs as one/claim-0"
    with pytest.raises(InputError, match=message):
        ledger([first, second])
    ledger([first, folder_of(tmp_path / "two", results, {"expect": {"at_most": 2.3}})])


def test_a_reversed_comparison_is_the_same_rule(tmp_path):
    results = pl.concat([of_runs(f"{RUN} data.exposures={n}", VALUES[n]) for n in (1000, 100)])
    runs = [f"{RUN} data.exposures=1000,100"]
    sides = [{"data.exposures": n} for n in (1000, 100)]
    for by, low, high in (("difference", 0.5, -0.5), ("ratio", 2, 0.5)):
        rules = [
            {"select": a, "compared_to": b, "by": by, "expect": {bound: value}}
            for a, b, bound, value in ((*sides, "at_least", low), (*sides[::-1], "at_most", high))
        ]
        with pytest.raises(InputError, match="claim-1 has the same rule and runs as .*/claim-0"):
            ledger([folder_of(tmp_path, results, *rules, runs=runs)])


def test_claims_without_results_are_listed_with_the_command_that_runs_them(tmp_path, capsys):
    folder_of(tmp_path, of_runs(RUN, VALUES[1000]), {"id": "two"})
    planned = tmp_path / "planned"
    planned.mkdir()
    write_experiment(planned, [CLAIM | {"id": "four", "statement": "About 4 bits"}])
    assert main([str(planned), str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert f"planned has no results yet; python -m physlm.reproduce {planned} --out" in printed.err
    assert "| About 2 bits | 2 | 1.950 ± 0.029 (n = 3) | laptop | **holds** |" in printed.out
    assert "| About 4 bits | 2 | - | laptop | **not run** |" in printed.out


def test_two_claims_of_one_rule_and_selection_are_refused_before_they_are_run(tmp_path):
    claims = [CLAIM | {"id": "one"}, CLAIM | {"id": "two", "times": 1.0}]
    write_experiment(tmp_path, claims)
    with pytest.raises(InputError, match="/two has the same rule and runs as .*/one"):
        decided_experiments([tmp_path])
    write_experiment(tmp_path, [claims[0], claims[1] | {"select": {}}])
    assert len(decided_experiments([tmp_path])) == 1


@pytest.mark.parametrize("name", ["runs.csv", "metrics.csv"])
def test_one_table_without_the_other_is_an_error(tmp_path, name, capsys):
    folder_of(tmp_path, of_runs(RUN, VALUES[1000]), {"id": "two"})
    (tmp_path / name).unlink()
    assert main([str(tmp_path)]) == 2
    assert name in capsys.readouterr().err


def test_a_folder_that_is_no_experiment_is_refused(tmp_path, capsys):
    assert main([str(tmp_path / "elsewhere")]) == 2
    assert "elsewhere/experiment.yaml: does not exist" in capsys.readouterr().err
