"""The published faults: reproduced where they are labelled, and nowhere else."""

import ast
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

import physlm.analysis.spectra as package
from physlm.analysis.spectra import eigenvalues, extremal, spectral_metrics
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from physlm.analysis.spectra.reference_compat import (
    reference_accuracy,
    reference_effect_size,
    reference_gap,
    reference_metrics,
)
from tests.analysis.spectra.graphs import attention, states

FOLDER = Path(package.__file__).parent


def published(a, x):
    """The faulty computation, in SciPy."""
    w = a.mean(0)
    w = (w + w.T) / 2
    values, vectors = scipy.linalg.eigh(np.eye(len(w)) - w / w.sum(1, keepdims=True), lower=True)
    values = np.clip(values, 0, None)
    if len(w) > 50:
        keep = np.r_[:25, len(w) - 25 : len(w)]
        values, vectors = values[keep], vectors[:, keep]
    p = ((vectors.T @ x) ** 2).sum(1)
    p /= p.sum()
    return {
        "fiedler": values[1],
        "hfer": p[int(np.floor(0.9 * len(p) + 1e-9)) :].sum(),
        "smoothness": values @ p,
        "spectral_entropy": -(p * np.log(p)).sum(),
    }


@pytest.mark.parametrize("size", [20, 50, 51, 80])
def test_the_published_pathologies_are_reproduced_under_their_label(size):
    a, x = attention(4, size, size), states(size, 6)
    found, expected = reference_metrics(a, x), published(a.numpy(), x.numpy())
    assert set(found) == {f"reference_compat/{name}" for name in expected}
    for name, value in expected.items():
        assert float(found[f"reference_compat/{name}"]) == pytest.approx(value, abs=1e-9)


def test_its_entropy_stops_growing_where_modes_are_dropped_and_ours_does_not():
    a, x = attention(4, 90, 90), states(90, 6)
    theirs = reference_metrics(a, x)["reference_compat/spectral_entropy"]
    assert float(theirs) < np.log(50) < float(spectral_metrics(a.mean(0), x)["spectral_entropy"])


def test_the_gap_of_the_write_up_is_that_of_another_matrix_and_no_laplacian():
    a = attention(30, 30)
    seen = torch.eye(30, dtype=a.dtype) - (a + a.T - torch.diag(a.diagonal()))
    values = scipy.linalg.eigvalsh(seen.numpy())
    assert float(reference_gap(a)) == pytest.approx(values[1] - values[0], abs=1e-9)
    assert values[0] < -0.1
    assert float(reference_gap(a)) != pytest.approx(float(eigenvalues(a, "comb")[1]), abs=1e-3)


def test_effect_size_and_accuracy_have_their_faults():
    generator = np.random.default_rng(0)
    valid, invalid = generator.normal(1, 1, 8), generator.normal(0, 2, 5)
    pooled = np.sqrt((7 * valid.var() + 4 * invalid.var()) / 11)
    assert reference_effect_size(valid, invalid) == pytest.approx(
        (valid.mean() - invalid.mean()) / pooled
    )
    noise = [reference_accuracy(*generator.normal(size=(2, 20))) for _ in range(20)]
    assert np.mean(noise) > 0.6  # in-sample, of groups that do not differ
    assert reference_accuracy(np.arange(5.0), np.arange(5.0) + 10) == 1


def code(path):
    """A module without its docstrings and comments."""
    return ast.unparse(ast.parse(path.read_text(encoding="utf-8")))


def test_triangles_and_truncation_are_nowhere_else():
    for path in FOLDER.rglob("*.py"):
        source = code(path)
        is_compat = path.name == "reference_compat.py"
        assert ("UPLO" in source) == is_compat
        assert ("= 25" in source or "[:25]" in source) == is_compat
        assert ("import reference_" in source) == (path.name == "published.py")


def test_solvers_are_given_matrices_that_are_symmetric_to_the_last_bit(monkeypatch):
    n_checked = []
    for name in ("eigh", "eigvalsh"):
        solver = getattr(torch.linalg, name)

        def checked(matrix, *, solver=solver):
            assert torch.equal(matrix, matrix.mT)
            n_checked.append(len(matrix))
            return solver(matrix)

        monkeypatch.setattr(torch.linalg, name, checked)
    a, x = attention(3, 70, 70, dtype=torch.float32), states(3, 70, 4, dtype=torch.float32)
    is_token = torch.arange(70) < torch.tensor([70, 40, 9])[:, None]
    for laplacian in ("sym", "comb", "rw", "adjacency"):
        spectral_metrics(a, x, laplacian=laplacian, symmetrise="max", self_loops=True)
        spectral_metrics(a, x, laplacian=laplacian, clip=0.01, is_token=is_token)
    extremal.fiedler(graph_of(a, GraphOptions()), LaplacianKind.sym)
    assert len(n_checked) >= 9
