"""Graphs whose eigenvalues are known in closed form."""

import numpy as np
import pytest
import torch

from physlm.analysis.spectra import eigenvalues, spectral_metrics
from physlm.analysis.spectra.eigenvalue_metrics import spacing_ratio
from physlm.analysis.spectra.laplacians import Spectrum
from tests.analysis.spectra.graphs import weights

COMB = {
    "path": 2 - 2 * np.cos(np.pi * np.arange(7) / 7),
    "cycle": 2 - 2 * np.cos(2 * np.pi * np.arange(8) / 8),
    "complete": [0] + [6] * 5,
    "star": [0] + [1] * 5 + [7],
    "bipartite": [0] + [3] * 4 + [5] * 2 + [8],
}
SYM = {
    "path": 1 - np.cos(np.pi * np.arange(7) / 6),
    "cycle": 1 - np.cos(2 * np.pi * np.arange(8) / 8),
    "complete": [0] + [6 / 5] * 5,
    "star": [0] + [1] * 5 + [2],
    "bipartite": [0] + [1] * 6 + [2],
}
ADJACENCY = {
    "path": 2 * np.cos(np.pi * np.arange(1, 8) / 8),
    "cycle": 2 * np.cos(2 * np.pi * np.arange(8) / 8),
    "complete": [-1] * 5 + [5],
    "star": [-np.sqrt(6)] + [0] * 5 + [np.sqrt(6)],
    "bipartite": [-np.sqrt(15)] + [0] * 6 + [np.sqrt(15)],
}
TOLERANCE = {torch.float64: 1e-9, torch.float32: 5e-4}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", COMB)
@pytest.mark.parametrize(
    ("laplacian", "expected"), [("comb", COMB), ("sym", SYM), ("rw", SYM), ("adjacency", ADJACENCY)]
)
def test_eigenvalues_of_named_graphs(name, laplacian, expected, dtype):
    found = eigenvalues(weights(name, dtype), laplacian)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, sorted(expected[name]), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_signal_at_one_token_of_a_star_has_its_known_energies(dtype):
    """The centre lies half in the constant mode and half in that of eigenvalue 2."""
    x = torch.zeros(7, 1, dtype=dtype)
    x[0] = 1
    found = spectral_metrics(weights("star", dtype), x, signal="raw")
    expected = {"hfer": 0.5, "smoothness": 1, "spectral_entropy": np.log(2), "energy": 1}
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, abs=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_energy_at_the_cut_of_equal_eigenvalues_is_split_evenly(dtype):
    """Of a complete graph of 6, the half of the modes takes 3 of 5 equal ones."""
    x = torch.tensor([1.0, -1, 0, 0, 0, 0], dtype=dtype)[:, None]
    found = spectral_metrics(weights("complete", dtype), x, signal="raw")
    assert float(found["hfer_index_0.5"]) == pytest.approx(3 / 5, abs=TOLERANCE[dtype])
    assert float(found["hfer_index_0.1"]) == pytest.approx(1 / 5, abs=TOLERANCE[dtype])
    assert float(found["hfer"]) == pytest.approx(1, abs=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_eigenvalues_at_the_cut_are_not_above_it(dtype):
    """All energy of the leaves of a star that sum to 0 is at eigenvalue 1, which is also half 2."""
    x = torch.tensor([0.0, 1, -1, 2, -2, 0, 0], dtype=dtype)[:, None]
    found = spectral_metrics(weights("star", dtype), x, signal="raw")
    assert float(found["hfer"]) == pytest.approx(0, abs=1e-6)
    assert float(found["hfer_half_max"]) == pytest.approx(0, abs=1e-6)


def test_random_numbers_do_not_repel_and_eigenvalues_of_random_matrices_do():
    generator = np.random.default_rng(0)
    a = generator.standard_normal((400, 400))
    goe = torch.tensor(np.linalg.eigvalsh(a + a.T))
    poisson = torch.tensor(np.sort(generator.uniform(0, 100, 4000)))
    for values, expected in ((goe, 0.531), (poisson, 0.386)):
        whole = Spectrum(values, torch.ones_like(values, dtype=torch.bool))
        assert float(spacing_ratio(whole).values) == pytest.approx(expected, abs=0.03)
