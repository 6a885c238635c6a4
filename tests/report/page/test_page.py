"""The command: size and time of a page, hostile texts, and bad input."""

import re
import time

import pytest

from physlm.measurement import Metric
from physlm.page import main
from physlm.report.page.document import charts
from tests.report.page.embedded import content
from tests.report.page.runs import write_run


# A quarter of a page is the script that draws, and some of the time that of imports.
@pytest.mark.parametrize("n_runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_thousand_runs_are_a_page_of_at_most_6_mb_in_5_seconds(n_runs, tmp_path):
    many = [
        Metric(name="probe/accuracy", value=1 / (3 + i), unit="", n=9, dims={"layer": i})
        for i in range(60)
    ]
    for i in range(n_runs):
        write_run(tmp_path / "runs", i, 16 + i % 50, bits=-1 / (i + 1), n_points=100, metrics=many)
    charts()  # bundled once for each version of the package, in two seconds
    page, began = tmp_path / "page.html", time.process_time()
    assert main([str(tmp_path / "runs"), "--output", str(page)]) == 0
    assert time.process_time() - began < 5 * (n_runs + 100) / 1100
    assert page.stat().st_size < 6e6 * (n_runs + 300) / 1300
    (table,) = content(page)["tables"]
    assert table["n_runs"] == n_runs
    assert len(table["curves"]) == 2 * n_runs


def test_a_record_cannot_end_the_script_that_it_is_in(tmp_path):
    evil = "</script><script>alert(1)</script><!--"
    write_run(tmp_path / "runs", 0, 16, bits=1.0, experiment="a", device=evil)
    page = tmp_path / "page.html"
    assert main([str(tmp_path / "runs"), "--output", str(page)]) == 0
    assert evil not in page.read_text()
    (table,) = content(page)["tables"]
    assert table["values"][table["columns"].index("device")] == [evil]


def test_a_page_names_no_address_outside_itself(tmp_path):
    write_run(tmp_path / "runs", 0, 16, bits=1.0)
    page = tmp_path / "page.html"
    main([str(tmp_path / "runs"), "--output", str(page)])
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:|//)""", page.read_text())
    assert "default-src &#x27;none&#x27;" in page.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["empty"], "empty: no record.json below; run something first, or name another folder"),
        (["nowhere"], "nowhere does not exist"),
        (["empty", "--output", "page.txt"], "--output page.txt; name a file that ends in .html"),
        (["runs", "--output", "file/page.html"], "--output file/page.html: "),
        (["old"], "is of another version of physlm (schema_version=1, here 2); run it again"),
        (["--experiments", "empty"], "--experiments empty: no */metrics.csv in it"),
    ],
)
def test_bad_input_is_refused_in_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    write_run(tmp_path / "runs", 0, 16, bits=1.0)
    write_run(tmp_path / "old", 0, 16, bits=1.0, schema_version=1)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "page.html").exists()


def test_records_of_another_version_are_left_out_with_one_line(tmp_path, capsys):
    write_run(tmp_path / "runs", 0, 16, bits=1.0)
    for seed in (1, 2):
        write_run(tmp_path / "runs", seed, 16, bits=1.0, schema_version=1)
    page = tmp_path / "page.html"
    assert main([str(tmp_path / "runs"), "--output", str(page)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: 2 records or experiments left out, the first: ")
    assert "schema_version=1, here 2" in line
    assert content(page)["tables"][0]["n_runs"] == 1
