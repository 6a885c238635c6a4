"""Attention graphs of a text, against the model's maps and networkx."""

import networkx as nx
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from physlm.errors import InputError
from physlm.report.exploration.graph_document import layers_of_page
from physlm.report.exploration.graph_picture import _name_tokens, draw_text_graph
from physlm.report.exploration.text_graph import MEAN, text_graphs, traces
from tests.report.exploration.explorations import N_LAYERS, subject


@pytest.fixture(scope="module")
def tokens():
    return subject().document(0)


@pytest.fixture(scope="module")
def graphs(tokens):
    return text_graphs(subject().model, tokens)


def of_head(graphs, layer, head):
    """The metrics of one layer and head."""
    return graphs.metrics.filter(layer=layer, head=head).row(0, named=True)


@torch.no_grad()
def test_maps_are_those_of_the_model_with_their_mean_behind_them(graphs, tokens):
    patterns = subject().model.attention_patterns(torch.tensor([tokens]))
    for layer, own in patterns:
        torch.testing.assert_close(graphs.maps[layer, :-1].float(), own[0])
        torch.testing.assert_close(graphs.maps[layer, MEAN].float(), own[0].mean(0))
    assert (graphs.n_layers, graphs.n_heads) == (N_LAYERS, 2)
    first = graphs.maps[0, 1].numpy()
    found = of_head(graphs, 0, 1)
    assert found["sink_mass"] == pytest.approx(first[:, 0].mean())
    assert found["previous_token_mass"] == pytest.approx(np.diagonal(first, -1).mean())


@pytest.mark.parametrize(("layer", "head"), [(2, 1), (1, MEAN)])
def test_fiedler_vector_and_value_are_those_of_networkx(layer, head, graphs):
    weights = graphs.maps[layer, head].numpy()
    weights = (weights + weights.T) / 2
    np.fill_diagonal(weights, 0)
    graph = nx.from_numpy_array(weights)
    own, value = graphs.fiedler[layer, head].numpy(), float(graphs.eigenvalues[layer, head, 1])
    options = {"normalized": True, "seed": 0, "tol": 1e-10}
    assert value == pytest.approx(nx.algebraic_connectivity(graph, **options), rel=1e-6)
    theirs = nx.fiedler_vector(graph, **options)
    theirs = theirs / np.linalg.norm(theirs)
    np.testing.assert_allclose(own, theirs * np.sign(theirs[np.abs(own).argmax()]), atol=1e-5)
    assert of_head(graphs, layer, head)["fiedler"] == pytest.approx(value)


@torch.no_grad()
def test_traces_end_with_the_metrics_of_the_whole_text(graphs, tokens):
    model = subject().model
    found = traces(model, tokens, 1, 0)
    assert found["position"].to_list() == list(range(2, len(tokens)))
    for name in ("fiedler", "smoothness"):
        assert found[name][-1] == pytest.approx(of_head(graphs, 1, 0)[name])
    whole = model(torch.tensor([tokens])).log_softmax(-1)[0]
    expected = [float(whole[t - 1, tokens[t]]) for t in range(2, len(tokens))]
    assert found["log_probability"].to_list() == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow  # the command line's test draws it, too
def test_the_picture_has_an_arc_for_each_heavy_edge_and_marks_a_position(graphs, tokens):
    texts = [str(token) for token in tokens]
    grown = traces(subject().model, tokens, 1, 0)
    figure = draw_text_graph(graphs, grown, texts, 1, 0, marked=4)
    arcs, *panels = figure.axes
    weights = graphs.maps[1, 0].numpy()[np.tril_indices(len(tokens), -1)]
    lines, points = arcs.collections
    assert len(lines.get_segments()) == (weights >= 0.05 * weights.max()).sum()
    widths = np.sort(lines.get_linewidths())
    assert widths[-1] == pytest.approx(6.3)
    np.testing.assert_allclose(points.get_array(), graphs.fiedler[1, 0])
    traced = [axes for axes in panels if axes.get_ylabel() in {"fiedler", "smoothness"}]
    assert all(list(axes.lines[-1].get_xdata()) == [4, 4] for axes in traced)
    assert len(traced) == 2


def test_short_tokens_stand_upright_in_the_picture_and_are_large():
    axes = Figure().add_subplot()
    _name_tokens(axes, ["<|endoftext|>", "(", ")", "$x"])
    labels = axes.get_xticklabels()
    assert [label.get_rotation() for label in labels] == [90, 0, 0, 0]
    assert min(label.get_fontsize() for label in labels[1:]) > 10


def test_a_page_of_too_many_weights_has_one_layer_and_then_is_refused(graphs, monkeypatch):
    assert layers_of_page(graphs, 1) == [0, 1, 2]
    n_tokens = graphs.maps.shape[-1]
    of_layer = 3 * n_tokens * (n_tokens + 1) // 2
    monkeypatch.setattr("physlm.report.exploration.graph_document._MOST_WEIGHTS", of_layer)
    assert layers_of_page(graphs, 1) == [1]
    monkeypatch.setattr("physlm.report.exploration.graph_document._MOST_WEIGHTS", of_layer - 1)
    with pytest.raises(InputError, match="give a shorter text"):
        layers_of_page(graphs, 1)


def test_two_tokens_are_too_few(tokens):
    with pytest.raises(InputError, match="--graph of 2 tokens; give a text of at least 3"):
        text_graphs(subject().model, tokens[:2])
