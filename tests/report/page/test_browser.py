"""The page in a real browser."""

import re
import shutil

import pytest

from physlm.measurement import Metric
from physlm.page import main
from physlm.report.experiment import read_experiment
from tests.report.page.chromium import browser, needs_chromium, opened
from tests.report.page.runs import write_run
from tests.test_experiments import FOLDER, MEASURED

pytestmark = needs_chromium

EVIL = "</script><img src=x onerror=alert(1)>"
BITS = "capacity/bits_per_parameter{split=train}"


# The headline figures: bits per parameter against size, QA accuracy against augmentation.
AXES = ("x", "y", "y-scale", "colour")
FIRST_PLOTS = {
    "capacity": ["parameters.total", BITS, "linear", "data.exposures"],
    "extraction": ["init_from", "qa/exact_match{split=held_out_people}", "linear", ""],
    "capacity_exposures": ["data.exposures", BITS, "linear", "trainer.batch_size"],
    "cfg_learn": ["data.grammar", "cfg/accuracy{prefix=0,split=test}", "linear", ""],
}


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of six runs with curves; the device of one is hostile text."""
    folder = tmp_path_factory.mktemp("page")
    for seed in (0, 1):
        for width, bits in ((8, -20.0), (16, 0.5), (128, 1.9)):
            own = {"bits": bits + seed / 10, "n_points": 20}
            if width == 128:
                own["metrics"] = (Metric(name="wide/only", value=seed, unit="", n=1),)
            if (seed, width) == (1, 16):
                own["device"] = EVIL
            write_run(folder / "runs", seed, width, **own)
    assert main([str(folder / "runs"), "--output", str(folder / "page.html")]) == 0
    return folder / "page.html"


def column(view, name):
    """The cells of a column, from top to bottom."""
    heads = view.locator(".runs thead button").all_inner_texts()
    place = [head.rstrip(" ↑↓") for head in heads].index(name) + 1
    return view.locator(f".runs tbody td:nth-child({place})").all_inner_texts()


def test_a_page_of_runs_opens_at_the_runs_and_counts_the_claims_that_lack_runs(chromium, page):
    with opened(chromium, page, "") as view:
        assert view.locator(".runs tbody tr").count() == 6
        view.get_by_role("link", name="claims").click()
        text = view.locator("main").inner_text()
        assert re.search(r"Runs in .*/runs/: \d+ claims have no complete runs here\.", text)


@pytest.mark.slow
def test_runs_are_sorted_by_size_and_filtered_by_a_rule(chromium, page):
    with opened(chromium, page, "runs") as view:
        view.get_by_title("model.d_model: sort").click()
        assert column(view, "model.d_model") == ["8", "8", "16", "16", "128", "128"]
        view.get_by_title("model.d_model: sort").click()
        assert column(view, "model.d_model")[0] == "128"
        view.get_by_label("filter model.d_model").fill(">=16")
        assert column(view, "model.d_model") == ["128", "128", "16", "16"]
        view.get_by_label("filter seed").fill("1")
        assert column(view, "seed") == ["1", "1"]
        assert "2 of 6 runs" in view.locator(".controls").inner_text()


@pytest.mark.slow
def test_runs_without_a_value_come_last_in_both_directions(chromium, page):
    with opened(chromium, page, "runs") as view:
        for order in (["0", "1"], ["1", "0"]):
            view.get_by_title("wide/only: sort").click()
            assert column(view, "wide/only") == [*order, "", "", "", ""]


def test_hostile_text_is_shown_as_text_in_tables_charts_and_tooltips(chromium, page):
    with opened(chromium, page, "runs") as view:
        assert EVIL in column(view, "device")
        view.get_by_label("filter device").fill("onerror")
        view.get_by_role("link", name="plot").click()
        view.locator("select[name=colour]").select_option("device")
        (point,) = points(view)
        point.hover()
        assert EVIL in view.locator("#vg-tooltip-element").inner_text()
        assert EVIL in view.locator(".chart svg.marks").text_content()
        assert view.locator("img").count() == 0


@pytest.mark.slow
def test_numbers_are_drawn_against_each_other_on_symlog_with_colour_and_facets(chromium, page):
    with opened(chromium, page, "plot") as view:
        assert view.locator("select[name=x]").input_value() == "parameters.total"
        assert view.locator("select[name=x-scale]").input_value() == "log"
        assert view.locator("select[name=y]").input_value() == BITS
        assert view.locator("select[name=y-scale]").input_value() == "symlog"
        assert len(points(view)) == 6
        view.locator("select[name=colour]").select_option("seed")
        view.locator("select[name=facet]").select_option("model.d_model")
        drawn = points(view)
        assert len(drawn) == 6
        assert len({point.get_attribute("fill") for point in drawn}) == 2
        assert "128" in view.locator(".chart").inner_text()


@pytest.mark.slow
def test_runs_that_a_log_scale_cannot_show_are_counted(chromium, page):
    with opened(chromium, page, "plot") as view:
        view.locator("select[name=y-scale]").select_option("log")
        assert "2 not drawn" in view.locator(".controls").inner_text()


@pytest.mark.slow
def test_curves_of_the_filtered_runs_are_overlaid(chromium, page):
    with opened(chromium, page, "curves") as view:
        options = view.locator("select[name=metric] option").all_inner_texts()
        assert options == [BITS, "train/loss_nats"]
        assert len(lines(view)) == 6
        view.get_by_role("link", name="runs").click()
        view.get_by_label("filter model.d_model").fill("128")
        view.get_by_role("link", name="curves").click()
        assert len(lines(view)) == 2


@pytest.mark.slow
def test_chosen_runs_are_compared_by_the_keys_in_which_they_differ(chromium, page):
    with opened(chromium, page, "runs") as view:
        view.get_by_label("filter seed").fill("0")
        for row in (0, 1):
            view.locator(".runs tbody tr").nth(row).click()
        view.get_by_role("link", name="differences").click()
        rows = view.locator(".differences tbody tr").all_inner_texts()
        keys = [re.split(r"\s+", row)[1] for row in rows]
        assert keys == ["model.d_model", BITS, "parameters.total"]


@pytest.mark.parametrize(
    "view_name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("claims", "runs", "plot", "curves", "differences")
    ],
)
def test_a_narrow_window_scrolls_in_one_direction_only(view_name, chromium, page):
    with opened(chromium, page, view_name) as view:
        view.set_viewport_size({"width": 400, "height": 800})
        view.reload()
        if view_name in {"plot", "curves"}:
            view.locator(".chart svg.marks").wait_for()
        assert view.evaluate("document.documentElement.scrollWidth") <= 400


def focused(view):
    """The id of the element that has the focus."""
    return view.evaluate("document.activeElement.id")


@pytest.mark.slow
def test_the_page_is_used_by_keyboard_alone(chromium, page):
    with opened(chromium, page, "runs") as view:
        press = view.keyboard.press
        view.get_by_title("model.d_model: sort").focus()
        press("Enter")
        assert column(view, "model.d_model")[0] == "8"
        head = view.locator(".runs th", has=view.get_by_title("model.d_model: sort"))
        assert head.get_attribute("aria-sort") == "ascending"
        press("Space")  # the focus is still on the header
        assert column(view, "model.d_model")[0] == "128"
        assert head.get_attribute("aria-sort") == "descending"
        assert view.locator(".runs th[aria-sort]").count() == 1

        while not focused(view).startswith("choose:"):
            press("Tab")
        first = focused(view)
        press("Space")
        assert focused(view) == first
        press("Tab")
        press("Space")
        assert view.locator(".runs tr.chosen").count() == 2

        while focused(view) != "view:differences":
            press("Shift+Tab")
        outline = view.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        press("Enter")
        view.locator(".differences").wait_for()
        assert view.locator(".differences tbody tr").count() > 0
        assert focused(view) == "view:differences"

        press("Shift+Tab")
        press("Shift+Tab")
        press("Enter")
        assert len(points(view)) == 6
        colour = view.locator("select[name=colour]")
        colour.focus()
        before = colour.input_value()
        press("End")
        assert colour.input_value() != before
        assert focused(view) == "colour"


def points(view):
    """The points of a chart, once it is drawn."""
    view.locator(".chart svg.marks").wait_for()
    return view.locator(".chart svg.marks [aria-roledescription=point]").all()


def lines(view):
    """The lines of a chart, once it is drawn."""
    view.locator(".chart svg.marks").wait_for()
    return view.locator(".chart svg.marks [aria-roledescription='line mark']").all()


def test_claims_that_have_not_been_run_are_counted_filtered_and_have_no_plot(chromium, tmp_path):
    experiments = tmp_path / "experiments"
    shutil.copytree(FOLDER / "capacity_seeds", experiments / "capacity_seeds")
    (experiments / "planned").mkdir()
    shutil.copy(FOLDER / "capacity/experiment.yaml", experiments / "planned")
    page = tmp_path / "page.html"
    assert main(["--experiments", str(experiments), "--output", str(page)]) == 0
    with opened(chromium, page, "claims") as view:
        n = len(read_experiment(FOLDER / "capacity").claims)
        assert f"{n} have not been run" in view.locator(".counts").inner_text()
        view.locator("select[name=claim-which]").select_option("all")
        view.locator("select[name=claim-word]").select_option("not run")
        assert view.locator("tr[data-claim]").count() == n
        assert view.locator("tr[data-claim]").get_by_text("plot its metric").count() == 0
        view.locator("select[name=claim-word]").select_option("")
        assert view.get_by_text("plot its metric").count() >= 1


@pytest.mark.slow
def test_the_committed_results_show_claims_figures_and_curves(chromium, tmp_path):
    page = tmp_path / "page.html"
    assert main(["--experiments", "--output", str(page)]) == 0
    assert page.stat().st_size < 6e6
    with opened(chromium, page, "claims") as view:
        n_headlines = view.locator(".claims tbody tr").count()
        view.locator("select[name=claim-which]").select_option("all")
        assert view.locator(".claims tbody tr").count() > n_headlines > 40
        assert view.locator(".interval circle").count() >= n_headlines
        claim = view.locator("tr[data-claim='capacity/two-bits-at-1000-exposures']")
        claim.get_by_text("plot its").click()
        assert len(points(view)) > 0
        assert view.locator("select[name=table]").input_value() == "capacity"
        assert view.locator("select[name=x-scale]").input_value() == "log"
        for name, axes in FIRST_PLOTS.items():
            view.locator("select[name=table]").select_option(name)
            view.locator(".chart svg.marks").wait_for()
            found = [view.locator(f"select[name={key}]").input_value() for key in AXES]
            assert found == axes, name
        view.locator("select[name=table]").select_option("extraction")
        view.get_by_text("multi5_permute", exact=True).wait_for()
        view.locator("select[name=table]").select_option("cfg_learn")
        view.get_by_role("link", name="curves").click()
        assert len(lines(view)) == 15
        view.get_by_role("link", name="figures").click()
        assert view.locator("figure img").count() == len(MEASURED)
