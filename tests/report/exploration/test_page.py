"""The page of an exploration in a real browser."""

import re
from dataclasses import replace

import numpy as np
import pytest

from physlm.report.exploration.document import document
from tests.report.exploration.explorations import exploration
from tests.report.page.chromium import browser, needs_chromium, opened

EVIL = "</script><img src=x onerror=alert(1)>"
POSITION = 4

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def found():
    """An exploration in which one token read, which is also predicted, has a hostile text."""
    own = exploration()
    hostile = own.rows["top1"].to_numpy()[POSITION, -1]
    return replace(own, name=EVIL, texts=own.texts | {hostile: EVIL})


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "trajectory.html"
    path.write_text(document(found, POSITION, "top1_probability"))
    return path


def cell(view, position, state):
    return view.locator(f"[id='cell:{position}:{state}']")


LISTED = """items => items.map((item) =>
  [...item.querySelectorAll("code, .number")].map((part) => part.textContent))"""
DRAWN = """cells => cells.map((cell) => {
  const style = getComputedStyle(cell);
  return [cell.id, style.backgroundColor, style.color];
})"""
IS_INSIDE = """cell => {
  const { left, right } = cell.getBoundingClientRect();
  return left >= 0 && right <= 400;
}"""


def listed(view):
    """The tokens and probabilities beside the cell that has the pointer or the focus."""
    details = view.locator("#details")
    assert details.is_visible()
    return details.locator("li").evaluate_all(LISTED)


def expected(found, position, state):
    row = found.rows.row(position, named=True)
    return [
        [found.texts[token], f"{p:.3f}" if p >= 0.0005 else "<.001"]
        for token, p in zip(row["top_tokens"][state], row["top_probabilities"][state], strict=True)
    ]


def test_pointer_and_keyboard_show_ten_tokens_and_hostile_text_stays_text(chromium, found, page):
    with opened(chromium, page, "") as view:
        cell(view, 2, 1).hover()
        assert listed(view) == expected(found, 2, 1)
        assert len(listed(view)) == 10
        view.mouse.move(5, 5)
        assert not view.locator("#details").is_visible()

        view.get_by_label("colour").focus()
        view.keyboard.press("Tab")
        last = found.rows["state"][0].len() - 1
        assert view.evaluate("document.activeElement.id") == f"cell:{POSITION}:{last}"
        assert listed(view) == expected(found, POSITION, last)
        assert listed(view)[0][0] == EVIL
        view.keyboard.press("ArrowDown")
        view.keyboard.press("ArrowLeft")
        assert listed(view) == expected(found, POSITION - 1, last - 1)
        described = view.evaluate("document.activeElement.getAttribute('aria-describedby')")
        assert described == "details"
        view.keyboard.press("Escape")
        assert not view.locator("#details").is_visible()

        assert cell(view, POSITION, last).inner_text() == EVIL
        assert view.locator("h1").inner_text() == EVIL
        assert view.locator("img").count() == 0
        assert view.title() == EVIL


def drawn(view):
    """The background and the ink of each cell."""
    colours, inks = {}, {}
    for name, background, ink in view.locator("td.top").evaluate_all(DRAWN):
        place = tuple(map(int, name.split(":")[1:]))
        colours[place], inks[place] = channels(background), channels(ink)
    return colours, inks


def channels(colour):
    return np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255


def luminance(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("measure", ["top1_probability", "final_rank", "kl_nats", "entropy_nats"])
def test_colours_follow_the_chosen_measure_and_leave_texts_readable(
    scheme, measure, chromium, found, page
):
    with opened(chromium, page, "") as view:
        view.emulate_media(color_scheme=scheme)
        view.get_by_label("colour").select_option(measure)
        colours, inks = drawn(view)
        numbers = found.rows[measure].to_numpy()
        places = sorted(colours)
        shown = np.array([numbers[place] for place in places], dtype=float)
        paper = channels(view.evaluate("getComputedStyle(document.body).backgroundColor"))
        distance = np.array([np.abs(colours[place] - paper).sum() for place in places])
        order = -shown if measure == "final_rank" else shown
        ranked = np.argsort(order, kind="stable")
        assert (np.diff(distance[ranked]) >= -0.02).all()
        assert distance.max() > 0.5 > distance.min()
        for place in places:
            light, dark = sorted([luminance(colours[place]), luminance(inks[place])], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.slow
def test_a_narrow_window_scrolls_the_table_alone_and_keeps_the_details_inside(
    chromium, found, page
):
    with opened(chromium, page, "") as view:
        view.set_viewport_size({"width": 400, "height": 700})
        view.reload()
        assert view.evaluate("document.documentElement.scrollWidth") <= 400
        for position in (0, len(found.tokens) - 1):
            cell(view, position, 0).focus()
            box = view.locator("#details").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 400
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 700
            assert cell(view, position, 0).evaluate(IS_INSIDE)


@pytest.mark.slow
def test_tokens_that_the_model_wrote_are_marked(chromium, found, page):
    with opened(chromium, page, "") as view:
        inputs = view.locator("tfoot .input")
        assert inputs.all_inner_texts() == found.inputs
        written = view.locator("tfoot .input.written").all_inner_texts()
        assert written == found.inputs[found.n_given :]
        assert (
            f"from position {found.n_given} on were written by the model"
            in view.locator("main").inner_text()
        )
