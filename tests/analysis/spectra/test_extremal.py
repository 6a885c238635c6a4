"""lambda_2 and lambda_T alone, against full decompositions."""

import networkx as nx
import numpy as np
import pytest
import torch

from physlm.analysis.spectra import eigenvalues, extremal, spectral_metrics
from physlm.analysis.spectra.extremal import fiedler, largest_mode
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.laplacians import symmetric_operator
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from tests.analysis.spectra.graphs import attention

TOLERANCE = {torch.float64: 1e-9, torch.float32: 5e-4}
KINDS = [LaplacianKind.sym, LaplacianKind.comb, LaplacianKind.rw]


def graph(weights, kind):
    return graph_of(weights, GraphOptions(laplacian=kind))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", KINDS)
def test_the_ends_of_spectra_are_those_of_numpy(kind, dtype):
    a = torch.stack([attention(80, 80, seed=i, sharpness=s) for i, s in enumerate((0.3, 1, 2, 4))])
    whole = eigenvalues(a, kind)
    for found, index in ((fiedler, 1), (largest_mode, -1)):
        mode = found(graph(a.to(dtype), kind), kind)
        np.testing.assert_allclose(mode.value, whole[:, index], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["path", "two halves", "no edges", "complete", "isolated token"])
def test_graphs_on_which_lanczos_is_slow_or_stops_early(name, kind):
    n = 120
    w = {
        "path": nx.to_numpy_array(nx.path_graph(n)),
        "two halves": np.kron(np.eye(2), np.ones((n // 2, n // 2))),
        "no edges": np.zeros((n, n)),
        "complete": np.ones((n, n)),
        "isolated token": np.pad(np.ones((n - 1, n - 1)), (0, 1)),
    }[name]
    weights = torch.tensor(w)
    whole = eigenvalues(weights, kind)
    second, largest = fiedler(graph(weights, kind), kind), largest_mode(graph(weights, kind), kind)
    assert float(second.value) == pytest.approx(float(whole[1]), abs=1e-9)
    assert float(largest.value) == pytest.approx(float(whole[-1]), abs=1e-9)


def test_what_has_not_converged_is_decomposed():
    path = torch.tensor(nx.to_numpy_array(nx.path_graph(300)))
    a = torch.stack([path, attention(300, 300)])
    mode = fiedler(graph(a, LaplacianKind.sym), LaplacianKind.sym)
    assert mode.is_converged.tolist() == [False, True]
    assert float(mode.value[0]) == pytest.approx(1 - np.cos(np.pi / 299), abs=1e-9)
    known = np.cos(np.pi * np.arange(300) / 299) * path.sum(-1).sqrt().numpy()
    vector = mode.vector[0] * mode.vector[0, 0].sign()
    np.testing.assert_allclose(vector, known / np.linalg.norm(known), atol=1e-6)


def test_a_good_guess_of_the_vector_saves_steps(monkeypatch):
    a = attention(300, 300)
    given = graph(a, LaplacianKind.sym)
    n_products = []
    plain = extremal._Product.plain
    monkeypatch.setattr(
        extremal._Product, "plain", lambda self, v: (n_products.append(1), plain(self, v))[1]
    )
    cold = fiedler(given, LaplacianKind.sym)
    first, guess = len(n_products), cold.vector + 1e-4
    warm = fiedler(given, LaplacianKind.sym, guess)
    assert float(warm.value) == pytest.approx(float(cold.value), abs=1e-10)
    assert len(n_products) - first < first


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_guess_that_is_another_eigenvector_is_not_believed(dtype):
    """As a graph grows, another eigenvalue may become the second."""
    halves = torch.block_diag(attention(60, 60, sharpness=3), attention(40, 40, sharpness=3))
    for a in (attention(100, 100), halves + 1e-4 * attention(100, 100)):
        given = graph(a.to(dtype), LaplacianKind.sym)
        values, vectors = torch.linalg.eigh(symmetric_operator(given, LaplacianKind.sym).double())
        for k in (2, 5, 99):
            found = fiedler(given, LaplacianKind.sym, vectors[:, k].to(dtype))
            assert float(found.value) == pytest.approx(float(values[1]), abs=TOLERANCE[dtype] / 50)


def test_metrics_of_the_ends_alone_decompose_no_large_matrix(monkeypatch):
    sizes = []
    for name in ("eigh", "eigvalsh"):
        solver = getattr(torch.linalg, name)
        monkeypatch.setattr(
            torch.linalg,
            name,
            lambda m, solver=solver, **k: (sizes.append(m.shape[-1]), solver(m, **k))[1],
        )
    names = ["fiedler", "lambda_max", "connectivity_ratio", "spectral_gap", "eigenvalue_variance"]
    found = spectral_metrics(attention(200, 200), metrics=names)
    assert max(sizes) < 100
    sizes.clear()
    spectral_metrics(attention(200, 200), metrics=["eigenvalue_variance", "eigenvalue_mean"])
    assert not sizes
    whole = spectral_metrics(attention(200, 200))
    for name in names:
        torch.testing.assert_close(found[name], whole[name])
