"""The page of attention graphs in a real browser."""

import numpy as np
import pytest

from physlm.report.exploration.graph_document import graph_document
from physlm.report.exploration.text_graph import MEAN, text_graphs
from tests.report.exploration.explorations import subject
from tests.report.page.chromium import browser, needs_chromium, opened

EVIL = "</script><img src=x onerror=alert(1)>"

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def graphs():
    return text_graphs(subject().model, subject().document(0))


@pytest.fixture(scope="module")
def page(graphs, tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "graph.html"
    texts = [EVIL, *(f"t{i}" for i in range(1, graphs.maps.shape[-1]))]
    path.write_text(graph_document(graphs, EVIL, texts, 1, MEAN))
    return path


EDGES = "edges => edges.map(({ dataset: { i, j, weight } }) => [i, j, weight].map(Number))"


def drawn(view):
    """The weights of the edges that are drawn, by their tokens."""
    return {(int(i), int(j)): w for i, j, w in view.locator(".edge").evaluate_all(EDGES)}


def expected(graphs, layer, head, share):
    """Half the attention of every heavy edge."""
    weights = graphs.maps[layer, head].numpy() / 2
    pairs = zip(*np.tril_indices(len(weights), -1), strict=True)
    heaviest = np.tril(weights, -1).max()
    return {(i, j): weights[i, j] for i, j in pairs if weights[i, j] >= share * heaviest}


def shown(view):
    return view.locator("#details").inner_text()


def test_menus_choose_the_graph_and_edges_weigh_half_the_models_attention(graphs, page):
    with browser() as started, opened(started, page, "") as view:
        assert drawn(view) == pytest.approx(expected(graphs, 1, MEAN, 0.05), abs=3e-5)
        view.get_by_label("layer").select_option("2")
        view.get_by_label("head").select_option("0")
        view.get_by_label("edges").select_option("0.2")
        assert drawn(view) == pytest.approx(expected(graphs, 2, 0, 0.2), abs=3e-5)
        assert f"{graphs.eigenvalues[2, 0, 1]:.4f}" in shown(view)
        before = view.locator(".edge").first.get_attribute("d")
        view.get_by_label("layout").select_option("circle")
        assert view.locator(".edge").first.get_attribute("d") != before

        view.locator("[id='token:5'] circle").hover()
        degree = np.delete(graphs.maps[2, 0].numpy()[5], 5).sum() / 2
        degree += np.delete(graphs.maps[2, 0].numpy()[:, 5], 5).sum() / 2
        assert "token t5 5" in shown(view)
        assert f"{degree:.4f}" in shown(view)
        assert f"{graphs.fiedler[2, 0, 5]:.4f}" in shown(view)
        marked = view.locator(".edge.marked").evaluate_all(EDGES)
        assert marked
        assert all(5 in (i, j) for i, j, _ in marked)
        view.mouse.move(5, 5)
        assert "layer 2, head 0" in shown(view)

        view.locator("[id='token:0']").focus()
        view.keyboard.press("ArrowRight")
        assert view.evaluate("document.activeElement.id") == "token:1"
        assert "token t1 1" in shown(view)

        assert view.locator("h1").inner_text() == EVIL
        assert view.title() == EVIL
        assert view.locator("img").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tokens_are_coloured_by_the_sign_and_size_of_the_fiedler_vector(scheme, graphs, page):
    with browser() as started, opened(started, page, "") as view:
        view.emulate_media(color_scheme=scheme)
        fills = view.locator(".token circle").evaluate_all(
            "all => all.map((one) => one.getAttribute('fill').match(/\\d+/g).map(Number))"
        )
        vector = graphs.fiedler[1, MEAN].numpy()
        red, _, blue = np.array(fills, dtype=float).T
        assert np.corrcoef(blue - red, vector)[0, 1] > 0.95


@pytest.mark.slow
def test_a_narrow_window_scrolls_the_drawing_alone(page):
    with browser() as started, opened(started, page, "") as view:
        view.set_viewport_size({"width": 400, "height": 700})
        for layout in ("arc", "circle"):
            view.get_by_label("layout").select_option(layout)
            assert view.evaluate("document.documentElement.scrollWidth") <= 400
