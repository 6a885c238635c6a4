"""Statements of claims, the short tables of the ledger, and the full tables of experiments."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from markdown_it import MarkdownIt
from scipy import stats

from physlm.claims import main
from physlm.errors import InputError
from physlm.report.experiment import Source, read_experiment
from physlm.report.ledger import (
    BEGIN,
    END,
    DecidedExperiment,
    all_claims,
    in_order,
    ledger,
    write_section,
)
from physlm.report.results import has_results
from physlm.report.verdict import NOT_RUN, Verdict

FOLDER = Path(__file__).parents[2] / "experiments"
EXPERIMENTS = [read_experiment(path.parent) for path in sorted(FOLDER.glob("*/experiment.yaml"))]
CLAIMS = [claim for experiment in EXPERIMENTS for claim in experiment.claims]
HOLDS, FAILS, OPEN = (
    Verdict(1.0, 0.9, 1.1, 3, word, groups=((1.0, 0.05),))
    for word in ("holds", "does not hold", "undecided")
)
PLANNED = Verdict(None, None, None, 0, NOT_RUN)


def tables(text):
    """The cells of each table, row by row, as a Markdown parser reads them."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and token.level > 3:
            found[-1][-1].append(token)
    return found


def of(name, *verdicts, paper="Part 3.3", result="result 1", mixed="", scale="laptop"):
    """An experiment with as many claims, of which the first is a headline."""
    ledgers = replace(EXPERIMENTS[0].claims[0], compared_to=None, times=1.0, paired=False)
    claims = tuple(
        replace(ledgers, id=f"{name}-{i}", statement=f"{name} {i}", headline=i == 0)
        for i, _ in enumerate(verdicts)
    )
    one = replace(
        EXPERIMENTS[0], name=name, source=Source(paper, result), claims=claims, scale=scale
    )
    return DecidedExperiment(one, verdicts, mixed)


def test_a_statement_can_be_read_alone():
    leaning = re.compile(
        r"^(indeed|so|nor|they|its?|at least half of it|and|these|this|that)\b|\bit is\b|the above",
        re.IGNORECASE,
    )
    assert [claim.id for claim in CLAIMS if leaning.search(claim.statement)] == []
    assert [claim.id for claim in CLAIMS if len(claim.statement) > 120] == []
    assert len({claim.statement for claim in CLAIMS}) == len(CLAIMS)


def test_ids_are_unique_and_kebab_case():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    kebab = re.compile(r"[a-z0-9.]+(-[a-z0-9.]+)*")
    assert [claim.id for claim in CLAIMS if not kebab.fullmatch(claim.id)] == []


def test_the_committed_ledger_has_one_short_table_a_paper():
    found = tables((FOLDER / "README.md").read_text())
    papers = {experiment.source.paper for experiment in EXPERIMENTS}
    assert len(found) == len(papers)
    for table in found:
        assert 2 <= len(table) <= 21
        assert {len(row) for row in table} == {6}
        assert max(len(cell.content) for row in table for cell in row) <= 140
    shown = [row[0].content for table in found for row in table[1:]]
    assert sorted(shown) == sorted(claim.statement for claim in CLAIMS if claim.headline)


def test_papers_and_their_results_come_in_order():
    experiments = [
        of("later", HOLDS, result="results 10 and 2"),
        of("sooner", HOLDS, result="result 9"),
        of("first", HOLDS, paper="Part 1"),
    ]
    text = ledger(experiments, headlines_only=True)
    headings = re.findall("^## (Part [0-9.]+)", text, re.MULTILINE)
    assert headings == ["Part 1", "Part 3.3"]
    first, second = tables(text)
    assert [row[0].content for row in first[1:]] == ["first 0"]
    assert [row[0].content for row in second[1:]] == ["sooner 0", "later 0"]


def test_of_one_result_measured_experiments_and_larger_scales_come_first():
    experiments = [
        of("a", PLANNED, scale="paper"),
        of("b", HOLDS),
        of("c", HOLDS, scale="gpu"),
        of("d", HOLDS, scale="workstation"),
    ]
    assert [one.experiment.name for one in in_order(experiments)] == ["c", "d", "b", "a"]


def test_all_claims_of_a_paper_are_counted_and_only_headlines_shown():
    decided = of("one", HOLDS, FAILS, FAILS, OPEN)
    text = ledger([decided], headlines_only=True)
    assert "Of 4 claims, 1 holds, 2 do not hold, 1 is undecided." in text
    assert "[one](one/README.md#claims) (4)" in text
    assert [len(table) - 1 for table in tables(text)] == [1]
    assert [len(t) - 1 for t in tables(ledger([decided], headlines_only=False))] == [4]


def test_an_undecided_claim_says_what_it_needs():
    needs = {
        "needs more seeds": replace(OPEN, n=1),
        "needs n of about 7": replace(OPEN, n_needed=7),
        "needs another scale, or n above 50": OPEN,
        "no ratio": replace(OPEN, why="no ratio", n_needed=7),
    }
    _, *rows = tables(all_claims(of("one", *needs.values())))[0]
    assert [row[-1].content for row in rows] == [f"**undecided**: {need}" for need in needs]


def test_claims_of_an_experiment_that_has_not_been_run_are_counted_and_listed_without_numbers():
    decided = [of("one", HOLDS), of("two", PLANNED, PLANNED)]
    text = ledger(decided, headlines_only=True)
    assert "Of 3 claims, 1 holds, 0 do not hold, 0 are undecided, 2 have not been run." in text
    (table,) = tables(text)
    assert [cell.content for cell in table[2]][2:5] == ["-", "laptop", "**not run**"]
    full = all_claims(decided[1])
    assert "Of 2 claims, 0 hold, 0 do not hold, 0 are undecided, 2 have not been run." in full
    assert "| - | at least" in full


def test_results_of_mixed_code_are_listed_below_the_ledger():
    assert "revision" not in ledger([of("one", HOLDS)], headlines_only=True)
    text = ledger([of("one", HOLDS), of("two", HOLDS, mixed="2 revisions")], headlines_only=True)
    assert text.endswith("Not all runs are of one revision of the code: two of 2 revisions.\n")


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_every_claim_is_kept_with_its_interval_bound_rule_and_command(experiment):
    results, rules = tables((FOLDER / experiment.name / "README.md").read_text())[-2:]
    assert len(results) - 1 == len(rules) - 1 == len(experiment.claims)
    for claim, result, rule in zip(experiment.claims, results[1:], rules[1:], strict=True):
        statement, paper, here, bound, verdict = (cell.content for cell in result)
        assert statement == f"`{claim.id}`: {claim.statement}"
        assert paper == f"{claim.published} ({claim.source})"
        if here == "-":
            assert not has_results(FOLDER / experiment.name)
            assert verdict == "**not run**"
        elif here.endswith("(n = 1)"):  # no interval, so nothing is decided
            assert len(experiment.seeds) == 1
            assert verdict.startswith("**undecided**")
        else:
            assert re.search(r"-?\d\.\d{3} to -?\d+\.\d{3}, .*n = \d+\)$", here)
        assert all(f"{value:g}" in bound for value in claim.expect.values())
        codes = [child.content for cell in rule for child in cell.children if child.type != "text"]
        chosen = [f"{name}={value}" for side in claim.selections for name, value in side.items()]
        assert set(codes) >= {claim.id, claim.metric, claim.command, *chosen}


def kept(tmp_path, *names):
    """Copies of experiments, and a ledger beside them."""
    for name in names:
        shutil.copytree(FOLDER / name, tmp_path / name)
        (tmp_path / name / "README.md").write_text(f"# {name}\n\n{BEGIN}\nold\n{END}\n\nBelow.\n")
    path = tmp_path / "README.md"
    path.write_text(f"# Ledger\n\n{BEGIN}\n{END}\n")
    return path, [str(tmp_path / name) for name in names]


def test_the_ledger_has_the_mean_and_standard_error_of_its_runs(tmp_path):
    path, folders = kept(tmp_path, "capacity_seeds")
    assert main([*folders, "--ledger", str(path)]) == 0
    values = pl.read_csv(FOLDER / "capacity_seeds/metrics.csv").filter(
        pl.col("metric") == "capacity/bits_per_parameter"
    )["value"]
    ((_, (statement, _, here, *_)),) = tables(path.read_text())
    assert here.content == f"{values.mean():.3f} ± {stats.sem(values):.3f} (n = {len(values)})"
    full = (tmp_path / "capacity_seeds/README.md").read_text()
    assert full.startswith(f"# capacity_seeds\n\n{BEGIN}\n\n## Claims\n")
    assert full.endswith(f"\n{END}\n\nBelow.\n")
    assert statement.content in full
    assert "old" not in full.split()


def test_the_console_shows_every_claim_in_the_same_short_form(capsys):
    assert main([str(FOLDER / "mixed_training")]) == 0
    printed = capsys.readouterr().out
    (table,) = tables(printed)
    assert len(table) - 1 == len(read_experiment(FOLDER / "mixed_training").claims)
    committed = (FOLDER / "README.md").read_text().splitlines()
    headline = next(line for line in printed.splitlines() if "at least 0.3 over" in line)
    assert headline in committed


def test_a_ledger_elsewhere_would_have_dead_links(tmp_path, capsys):
    path, folders = kept(tmp_path, "capacity_seeds")
    (tmp_path / "below").mkdir()
    elsewhere = shutil.move(path, tmp_path / "below/README.md")
    assert main([*folders, "--ledger", str(elsewhere)]) == 2
    assert "capacity_seeds is not beside" in capsys.readouterr().err
    assert "old" in (tmp_path / "capacity_seeds/README.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{BEGIN}\n",
        f"{END}\n{BEGIN}\n",
        f"{BEGIN}\n{BEGIN}\n{END}\n",
        f"{BEGIN}\n{END}\n{END}\n",
    ],
)
def test_a_file_without_one_place_for_claims_is_left_alone(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(InputError, match="README.md has no place for claims; add the lines <!--"):
        write_section(path, "new")
    assert path.read_text() == text


def test_a_bar_in_a_cell_ends_no_cell():
    decided = of("one", HOLDS)
    claim = replace(decided.experiment.claims[0], select={"data.junk_token": "<|junk|>"})
    barred = replace(decided, experiment=replace(decided.experiment, claims=(claim,)))
    _, rules = tables(all_claims(barred))
    assert {len(row) for row in rules} == {4}
    assert "data.junk_token=<|junk|>" in [c.content for c in rules[1][2].children]
