"""Directed features against the whole graph of all layers."""

import numpy as np
import pytest
import scipy.linalg
import torch

from physlm.analysis.spectra.layered_graph import directed_eigenvalues, lap_eigvals
from physlm.errors import InputError
from tests.analysis.spectra.graphs import attention


def whole_graph(maps):
    """The Laplacian of one head over all layers and tokens, edge by edge."""
    n_layers, size, _ = maps.shape
    a = np.zeros((n_layers * size, n_layers * size))  # [to, from]
    for layer in range(n_layers):
        for t in range(size):
            for u in range(t):
                a[layer * size + t, layer * size + u] = maps[layer, t, u]
            to, own = layer * size + t, maps[layer, t, t]
            a[to, to if layer == 0 else to - size] = own
    n_edges = np.maximum((a != 0).sum(0), 1)
    return np.diag(a.sum(0) / n_edges) - a


def test_features_are_eigenvalues_of_the_graph_over_layers_and_tokens():
    maps = attention(3, 2, 6, 6)
    found = directed_eigenvalues(maps)
    assert found.shape == (3, 2, 6)
    for head in range(2):
        laplacian = whole_graph(maps[:, head].numpy())
        np.testing.assert_allclose(found[:, head].flatten(), np.diag(laplacian), atol=1e-12)
        theirs = np.sort(scipy.linalg.eigvals(laplacian).real)
        np.testing.assert_allclose(np.sort(found[:, head].flatten()), theirs, atol=1e-9)


def test_the_vector_holds_the_largest_of_each_layer_and_head():
    maps = attention(2, 3, 2, 6, 6)
    features = lap_eigvals(maps, top_k=4)
    assert features.shape == (2, 3 * 2 * 4)
    expected = np.sort(directed_eigenvalues(maps).numpy(), -1)[..., ::-1][..., :4]
    np.testing.assert_array_equal(features.view(2, 3, 2, 4), expected)
    assert torch.equal(lap_eigvals(maps[1], 4), features[1])


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (attention(1, 2, 6, 6), "of one layer"),
        (attention(2, 2, 6, 6).mT.contiguous(), "attend to later tokens"),
        (attention(2, 2, 3, 3), "top_k=5; must be from 1 to 3"),
    ],
)
def test_bad_input_is_refused(maps, message):
    with pytest.raises(InputError, match=message):
        lap_eigvals(maps, top_k=5)
