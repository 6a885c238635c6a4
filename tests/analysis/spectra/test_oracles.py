"""Operators and metrics of attention against networkx, SciPy and PyGSP."""

import networkx as nx
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.csgraph
import torch

from physlm.analysis.spectra import eigenvalues, spectral_metrics
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.laplacians import symmetric_operator
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from tests.analysis.spectra import oracle
from tests.analysis.spectra.graphs import attention, states, symmetric

A, X = attention(2, 33, 33), states(2, 33, 5)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 5e-4}
DTYPES = list(TOLERANCE)


def rms_normed(x):
    return x / np.sqrt((x**2).mean(1, keepdims=True))


def close(found, expected, dtype):
    scale = max(1.0, abs(float(expected)))
    assert abs(float(found) - float(expected)) <= TOLERANCE[dtype] * scale


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["sym", "comb", "rw"])
@pytest.mark.parametrize("self_loops", [False, True])
def test_every_metric_of_a_laplacian_is_that_of_scipy_and_networkx(kind, self_loops, dtype):
    found = spectral_metrics(A.to(dtype), X.to(dtype), laplacian=kind, self_loops=self_loops)
    for i in range(len(A)):
        a, x = A[i].numpy(), rms_normed(X[i].numpy())
        w = symmetric(a, loops=self_loops)
        expected = oracle.metrics(w, x, kind) | oracle.companions(a)
        assert set(expected) == set(found)
        for name, value in expected.items():
            close(found[name][i], value, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_metric_of_the_adjacency_is_that_of_scipy(dtype):
    found = spectral_metrics(A.to(dtype), laplacian="adjacency", self_loops=True)
    named = spectral_metrics(A.to(dtype), metrics=["adjacency_radius"])
    for i in range(len(A)):
        expected = oracle.adjacency_metrics(symmetric(A[i].numpy(), loops=True))
        for name, value in expected.items():
            close(found[name][i], value, dtype)
        radius = oracle.adjacency_metrics(symmetric(A[i].numpy()))["adjacency_radius"]
        close(named["adjacency_radius"][i], radius, dtype)


@pytest.mark.parametrize("self_loops", [False, True])
def test_matrices_are_those_of_scipy_and_networkx(self_loops):
    options = GraphOptions(self_loops=self_loops)
    graph = graph_of(A[0], options)
    w = symmetric(A[0].numpy(), loops=self_loops)
    d = w.sum(1)
    np.testing.assert_allclose(
        symmetric_operator(graph, LaplacianKind.comb), np.diag(d) - w, atol=1e-12
    )
    scale = scipy.linalg.fractional_matrix_power(np.diag(d), -0.5)
    expected = scale @ (np.diag(d) - w) @ scale
    np.testing.assert_allclose(symmetric_operator(graph, LaplacianKind.sym), expected, atol=1e-12)
    if not self_loops:
        for normed, kind in ((False, LaplacianKind.comb), (True, LaplacianKind.sym)):
            theirs = scipy.sparse.csgraph.laplacian(w, normed=normed)
            np.testing.assert_allclose(symmetric_operator(graph, kind), theirs, atol=1e-12)


def test_scipy_drops_loops_and_networkx_keeps_them_in_the_degrees():
    w = symmetric(A[0].numpy(), loops=True)
    without = graph_of(A[0], GraphOptions())
    theirs = scipy.sparse.csgraph.laplacian(w, normed=True)
    np.testing.assert_allclose(symmetric_operator(without, LaplacianKind.sym), theirs, atol=1e-12)
    graph = nx.from_numpy_array(w)
    own = nx.normalized_laplacian_matrix(graph).toarray()
    with_loops = graph_of(A[0], GraphOptions(self_loops=True))
    np.testing.assert_allclose(symmetric_operator(with_loops, LaplacianKind.sym), own, atol=1e-12)
    connectivity = nx.algebraic_connectivity(graph, normalized=True, method="lanczos", tol=1e-12)
    assert float(eigenvalues(A[0])[1]) == pytest.approx(connectivity, abs=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenvalues_of_the_walk_are_those_of_the_matrix_that_is_not_symmetric(dtype):
    found = eigenvalues(A.to(dtype), "rw")
    for i in range(len(A)):
        w = symmetric(A[i].numpy())
        walk = np.eye(len(w)) - w / w.sum(1, keepdims=True)
        theirs = np.sort(scipy.linalg.eigvals(walk).real)
        np.testing.assert_allclose(found[i], theirs, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_directed_laplacian_has_the_eigenvalues_of_its_matrix(dtype):
    found = spectral_metrics(A.to(dtype), laplacian="directed")
    for i in range(len(A)):
        a = A[i].numpy()
        theirs = np.sort(scipy.linalg.eigvals(np.diag(a.sum(1)) - a).real)
        np.testing.assert_allclose(eigenvalues(A[i].to(dtype), "directed"), theirs, atol=5e-7)
        close(found["fiedler"][i], theirs[1], dtype)
        close(found["eigenvalue_variance"][i], theirs.var(), dtype)
        close(found["heat_trace"][i], np.exp(-theirs).sum(), dtype)


def test_the_spectrum_of_a_causal_map_is_its_diagonal_and_its_radius_1():
    found = eigenvalues(A, "adjacency", "none", self_loops=True)
    for i in range(len(A)):
        theirs = np.sort(np.abs(scipy.linalg.eigvals(A[i].numpy())))
        np.testing.assert_allclose(found[i], theirs, atol=1e-9)
        np.testing.assert_array_equal(found[i], np.sort(np.diag(A[i])))
    assert (found[:, -1] == 1).all()
    both_ways = attention(20, 20).tril() + states(20, 20).abs().triu(1)
    theirs = np.sort(np.abs(scipy.linalg.eigvals(both_ways.numpy())))
    found = eigenvalues(both_ways, "adjacency", "none", self_loops=True)
    np.testing.assert_allclose(found, theirs, atol=1e-9)


@pytest.mark.parametrize("symmetrise", ["mean", "max"])
@pytest.mark.parametrize("clip", [0.0, 0.03])
def test_symmetrising_and_clipping_are_what_numpy_does(symmetrise, clip):
    a = A[0].numpy()
    w = (a + a.T) / 2 if symmetrise == "mean" else np.maximum(a, a.T)
    w[w < clip] = 0
    np.fill_diagonal(w, 0)
    theirs = scipy.linalg.eigvalsh(scipy.sparse.csgraph.laplacian(w))
    np.testing.assert_allclose(eigenvalues(A[0], "comb", symmetrise, clip=clip), theirs, atol=1e-9)


@pytest.mark.parametrize("lap_type", ["combinatorial", "normalized"])
def test_pygsp_finds_the_same_spectrum_and_energies(lap_type):
    graphs = pytest.importorskip("pygsp").graphs
    graph = graphs.Graph(symmetric(A[0].numpy()), lap_type=lap_type)
    graph.compute_fourier_basis()
    kind = {"combinatorial": "comb", "normalized": "sym"}[lap_type]
    np.testing.assert_allclose(eigenvalues(A[0], kind), graph.e, atol=1e-9)
    x = rms_normed(X[0].numpy())
    energies = (graph.gft(x) ** 2).sum(1)
    found = spectral_metrics(A[0], X[0], laplacian=kind)
    assert float(found["smoothness"]) == pytest.approx(
        energies @ graph.e / energies.sum(), abs=1e-9
    )
    half = energies[graph.e > graph.e[-1] / 2].sum() / energies.sum()
    assert float(found["hfer_half_max"]) == pytest.approx(half, abs=1e-9)
    theirs = np.trace(np.atleast_2d(graph.dirichlet_energy(x)))
    assert float(found["energy"]) == pytest.approx(theirs, abs=1e-9)


def test_the_energy_of_comb_is_the_sum_of_squared_differences():
    w, x = symmetric(A[0].numpy()), X[0].numpy()
    squares = ((x[:, None] - x[None]) ** 2).sum(-1)
    found = spectral_metrics(A[0], X[0], laplacian="comb", signal="raw", metrics=["energy"])
    assert float(found["energy"]) == pytest.approx((w * squares).sum() / 2, abs=1e-9)
