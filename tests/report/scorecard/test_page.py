"""The page of scorecards in a real browser."""

import pytest

from physlm.report.scorecard.card import COUNT, Card, Entry, Section
from physlm.report.scorecard.document import document
from tests.report.page.chromium import browser, needs_chromium, opened

NONE = "\u2013"
EVIL = "</script><img src=x onerror=alert(1)>"

pytestmark = needs_chromium


def entry(section, label, value, **more):
    return Entry(section=section, label=label, value=value, unit="fraction", n=40, **more)


CARDS = (
    Card(
        EVIL,
        "run",
        1234,
        (
            entry(Section.retrieval, "year", 0.25, stderr=0.07, chance=0.1, metric="a/b{c=1}"),
            entry(Section.retrieval, "year ... given", 1.0),
            entry(Section.depth, "settled", 0.5, profile=(0.0, 0.5, 1.0)),
        ),
        {"qa": EVIL},
        ("id",),
    ),
    Card(
        "other",
        "endpoint",
        None,
        (
            entry(Section.retrieval, "year", 0.5),
            Entry(section=Section.spectra, label="beyond", value=2.0, unit=COUNT, n=7),
        ),
        {},
        (),
    ),
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The texts of the table by row, and what else is on the page."""
    path = tmp_path_factory.mktemp("card") / "scorecard.html"
    path.write_text(document(CARDS))
    with browser() as started, opened(started, path, "") as view:
        table = view.locator("tr").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
        )
        title = view.locator("td.cell").first.get_attribute("title")
        width = view.locator("td.cell .bar").first.evaluate("bar => bar.style.width")
        chance = view.locator("td.cell .chance").first.evaluate("line => line.style.left")
        points = view.locator("svg.profile polyline").get_attribute("points")
        view.locator("summary").click()
        why = view.locator("dd").inner_text()
    return table, (title, width, chance, points, why)


def test_models_are_columns_and_tests_are_rows(rows):
    table, _ = rows
    head, retrieval, year, given, depth, settled, spectra, beyond = table
    assert head[1].startswith(EVIL)
    assert head[1].endswith("run, 1,234 parameters")
    assert head[2].endswith("endpoint")
    assert [row[0] for row in (retrieval, depth, spectra)] == [
        "Retrieval",
        "Use of depth",
        "Spectra of attention",
    ]
    assert year == ["year", "0.25 ± 0.07\nchance 0.1, n 40", "0.5\nn 40"]
    assert given == ["given", "1\nn 40", NONE]
    assert settled[2] == NONE
    assert beyond == ["beyond", NONE, "2 of 7"]


def test_numbers_have_bars_chance_curves_and_their_metric(rows):
    assert rows[1] == ("a/b{c=1}", "25%", "10%", "0,32 60,17 120,2", EVIL)
