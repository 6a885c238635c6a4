"""What holds for every map and every signal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.analysis.spectra import eigenvalues, spectral_metrics, velocities
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.laplacians import root_degrees, spectrum
from physlm.analysis.spectra.maps import combined_heads, prefixes
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.analysis.spectra.options import GraphOptions
from physlm.analysis.spectra.signal_metrics import energy_spectrum
from physlm.analysis.spectra.signals import signal_of
from tests.analysis.spectra.graphs import attention, states, symmetric

SCALE_OF_W = {"energy", "fiedler", "spectral_gap", "lambda_max", "eigenvalue_mean", "smoothness"}


@st.composite
def texts(draw):
    """Maps and states; sharp maps have eigenvalues that are nearly equal."""
    size, seed = draw(st.integers(3, 16)), draw(st.integers(0, 2**31))
    sharpness = draw(st.sampled_from([0.5, 1.0, 3.0]))
    return attention(size, size, seed=seed, sharpness=sharpness), states(size, 4, seed=seed + 1)


def same(found, expected, *, but=(), atol=1e-8):
    assert set(found) == set(expected)
    for name in set(found) - set(but):
        torch.testing.assert_close(found[name], expected[name], atol=atol, rtol=1e-7, msg=name)


@settings(max_examples=4)
@given(texts(), st.sampled_from(["sym", "comb", "rw"]))
def test_permuted_tokens_rotated_and_scaled_features_have_the_same_metrics(text, laplacian):
    a, x = text
    a = (a + a.T) / 2  # a map of both directions, of which a permutation is one too
    size = len(a)
    order = torch.from_numpy(np.random.default_rng(0).permutation(size))
    rotation = torch.linalg.qr(states(4, 4, seed=5))[0]
    before = spectral_metrics(a, x, laplacian=laplacian)
    after = spectral_metrics(a[order][:, order], -3 * x[order] @ rotation, laplacian=laplacian)
    same(after, before, but=("sink_mass", "previous_token_mass"))


@settings(max_examples=4)
@given(texts())
def test_sym_ignores_the_scale_of_the_weights_and_comb_follows_it(text):
    a, x = text
    same(spectral_metrics(a / 7, x), spectral_metrics(a, x), but=COMPANIONS)
    comb, scaled = (spectral_metrics(w, x, laplacian="comb") for w in (a, a / 7))
    for name in SCALE_OF_W:
        torch.testing.assert_close(scaled[name], comb[name] / 7)
    for name in ("spectral_entropy", "hfer_half_max", "eigenvalue_entropy", "eig_hfer"):
        torch.testing.assert_close(scaled[name], comb[name])


@settings(max_examples=4)
@given(texts())
def test_traces_masses_and_ranges_of_the_normalised_laplacian(text):
    a, x = text
    size = len(a)
    options, found = GraphOptions(), spectral_metrics(a, x)
    graph = graph_of(a, options)
    whole = spectrum(graph, options, with_vectors=True)
    assert float(whole.values.sum()) == pytest.approx(size)
    assert float(found["eigenvalue_mean"]) == pytest.approx(1)
    w, d = graph.weights, graph.degrees
    assert float(found["eigenvalue_variance"]) == pytest.approx(
        float((w**2 / (d[:, None] * d)).sum()) / size
    )
    first = root_degrees(graph) / root_degrees(graph).norm()
    assert float((whole.vectors[:, 0] @ first).abs()) == pytest.approx(1)
    masses = energy_spectrum(whole, signal_of(x))
    assert float(masses.total) == pytest.approx(4 * size)  # of tokens with root mean square 1
    assert float(found["smoothness"]) == pytest.approx(float(masses.form / masses.total))
    assert 0 <= float(found["fiedler"]) <= size / (size - 1) + 1e-9
    assert size / (size - 1) - 1e-9 <= float(found["lambda_max"]) <= 2 + 1e-9
    for name in ("hfer", "spectral_entropy_normalised", "eigenvalue_entropy_normalised"):
        assert 0 <= float(found[name]) <= 1 + 1e-12
    assert float(found["spectral_gap"]) == pytest.approx(float(found["fiedler"]))


@settings(max_examples=3)
@given(texts())
def test_metrics_by_solver_and_without_agree(text):
    a, x = text
    for laplacian in ("sym", "comb", "rw"):
        known = spectral_metrics(a, x, laplacian=laplacian)
        names = ["energy", "smoothness", "eigenvalue_variance", "eigenvalue_mean"]
        free = spectral_metrics(a, x, laplacian=laplacian, metrics=names)
        assert set(free) == set(names)
        same(free, {name: known[name] for name in names})


@settings(max_examples=3)
@given(texts(), st.floats(0.05, 0.9))
def test_mixing_with_the_identity_and_row_sums_on_the_diagonal_add_nothing(text, share):
    a, _ = text
    mixed = {"diagonal": "mixed", "diagonal_share": share}
    names = ["fiedler", "lambda_max"]
    same(spectral_metrics(a, metrics=names, **mixed), spectral_metrics(a, metrics=names))
    scaled = spectral_metrics(a, metrics=names, laplacian="comb", **mixed)
    comb = spectral_metrics(a, metrics=names, laplacian="comb")
    same(scaled, {name: (1 - share) * comb[name] for name in names})
    options = GraphOptions(laplacian="adjacency", self_loops=True, **mixed)
    shifted = (1 - share) * eigenvalues(a, "adjacency", self_loops=True) + share
    torch.testing.assert_close(spectrum(graph_of(a, options), options).values, shifted)
    signless = GraphOptions(laplacian="adjacency", self_loops=True, diagonal="row_sums")
    w = symmetric(a.numpy())
    d = w.sum(1)
    found = graph_of(a, signless).weights
    np.testing.assert_allclose(found, np.diag(d) + w, atol=1e-12)
    normed = found.numpy() / np.sqrt(np.outer(d, d))
    mirrored = 2 - eigenvalues(a).flip(-1)
    np.testing.assert_allclose(np.linalg.eigvalsh(normed), mirrored, atol=1e-9)


def test_a_layer_subset_is_a_slice_and_a_head_its_own_run():
    a, x = attention(4, 3, 20, 20), states(4, 1, 20, 6)
    whole = spectral_metrics(a, x)
    same(spectral_metrics(a[1:3], x[1:3]), {name: v[1:3] for name, v in whole.items()}, atol=1e-12)
    one = spectral_metrics(a[2, 1], x[2, 0])
    same(one, {name: v[2, 1] for name, v in whole.items()}, atol=1e-12)
    assert all(v.shape == (4, 3) for v in whole.values())
    moved = velocities(whole)
    assert torch.equal(moved["hfer_velocity"], whole["hfer"][1:] - whole["hfer"][:-1])


@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_single_precision_is_near_double(sharpness):
    a, x = attention(2, 96, 96, sharpness=sharpness), states(2, 96, 8)
    for laplacian in ("sym", "comb", "rw", "directed", "adjacency"):
        double = spectral_metrics(a, x, laplacian=laplacian)
        single = spectral_metrics(a.float(), x.float(), laplacian=laplacian)
        assert {v.dtype for v in single.values()} == {torch.float32}
        same({k: v.double() for k, v in single.items()}, double, atol=5e-4)


def test_half_precision_is_measured_in_single():
    a, x = attention(2, 16, 16), states(2, 16, 4)
    half = spectral_metrics(a.bfloat16(), x.bfloat16())
    same(half, spectral_metrics(a.bfloat16().float(), x.bfloat16().float()))


def test_a_prefix_is_the_top_left_block():
    a, x = attention(2, 30, 30), states(2, 30, 4)
    for length, block in zip((2, 11, 30), prefixes(a, (2, 11, 30)), strict=True):
        scores = a[:, :length, :length]
        own = scores / scores.sum(-1, keepdim=True)  # a causal prefix has its own softmax
        same(spectral_metrics(block, x[:, :length]), spectral_metrics(own, x[:, :length]))


def test_a_span_is_cut_out_before_the_degrees_are_taken():
    a, x = attention(2, 30, 30), states(2, 30, 4)
    block = spectral_metrics(a[:, 5:20, 5:20], x[:, 5:20])
    same(spectral_metrics(a, x, span=(5, 20)), block, but=COMPANIONS)
    first = spectral_metrics(a[:, 1:, 1:], x[:, 1:])
    same(spectral_metrics(a, x, drop_first=1), first, but=COMPANIONS)
    whole = spectral_metrics(a, x, drop_first=1)["sink_mass"]
    torch.testing.assert_close(whole, a[:, 1:, 0].mean(-1))


def test_heads_are_averaged_before_the_graph():
    a = attention(2, 3, 12, 12)
    mean = combined_heads(a, "mean")
    graphs = ((a + a.mT) / 2).mean(1)
    torch.testing.assert_close(eigenvalues(mean), eigenvalues(graphs))
    apart = 12 - a.diagonal(dim1=-2, dim2=-1).sum(-1)
    weighted = np.stack([np.average(a[i], axis=0, weights=apart[i]) for i in range(2)])
    np.testing.assert_allclose(combined_heads(a, "offdiag_mass"), weighted, atol=1e-12)
    alone = torch.eye(5).expand(3, 5, 5)
    torch.testing.assert_close(combined_heads(alone, "offdiag_mass"), torch.eye(5))


def test_gradients_of_eigenvalues_are_those_of_finite_differences():
    def measured(a, x):
        found = spectral_metrics(a.tril(), x, metrics=["fiedler", "heat_trace", "smoothness"])
        return tuple(found.values())

    inputs = attention(5, 5).requires_grad_(), states(5, 2).requires_grad_()
    assert torch.autograd.gradcheck(measured, inputs, fast_mode=True)
