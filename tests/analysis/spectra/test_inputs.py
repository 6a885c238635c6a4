"""What cannot be measured is refused or masked, and nothing is ever NaN."""

import pytest
import torch

from physlm.analysis.spectra import eigenvalues, masked_metrics, spectral_metrics
from physlm.analysis.spectra.maps import check_maps, combined_heads, prefixes, require_tensor
from physlm.analysis.spectra.metric_options import MetricOptions
from physlm.analysis.spectra.options import GraphOptions
from physlm.errors import InputError
from tests.analysis.spectra.graphs import attention, states
from tests.conftest import printed

A, X = attention(2, 3, 8, 8), states(2, 1, 8, 4)
NAN = A.clone()
NAN[1, 2, 5, 0] = torch.nan
INFINITE = A.clone()
INFINITE[1, 0, 5, 0] = torch.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eigenvalues(NAN), "layer 1, head 2: attention is not finite"),
        (lambda: spectral_metrics(INFINITE), "layer 1, head 0: attention is not finite"),
        (lambda: check_maps(NAN[1][None], 7), "layer 7, text 0, head 2: attention is not finite"),
        (lambda: eigenvalues(-A), "layer 0, head 0: attention is negative"),
        (lambda: check_maps(A / 2, 4), "layer 4, text 0, head 0: row 0 sums to 0.5000"),
        (lambda: check_maps(2 * A, sums_to_one=False), "row 0 sums to 2.0000; .* at most 1"),
        (lambda: spectral_metrics(A, metrics="fiedler"), r"metrics='fiedler'; must be a list"),
        (
            lambda: require_tensor(A.numpy(), "attention", "[T]"),
            "attention is a ndarray; must be a",
        ),
        (
            lambda: require_tensor(A[0, 0, 0], "x", "[..., T, T]"),
            r"x has shape \[8\]; must be \[...",
        ),
        (lambda: require_tensor(A.long(), "x", "[T]"), "x has type torch.int64; must be floating"),
        (lambda: eigenvalues(A[..., :5]), "maps are 8 x 5; must be square"),
        (lambda: eigenvalues(A, "magic"), "laplacian=magic; one of sym, comb, rw"),
        (lambda: eigenvalues(A, "sym", "none"), "symmetrise=none with laplacian=sym"),
        (lambda: eigenvalues(A, "adjacency", "none"), "none without self loops, which are the eig"),
        (lambda: eigenvalues(A, clip=-1), "clip=-1"),
        (lambda: eigenvalues(A + A.mT, "directed"), "directed needs causal maps"),
        (lambda: spectral_metrics(A[..., :1, :1]), "a graph of 1 token .*; a second eigenvalue"),
        (lambda: spectral_metrics(A, drop_first=7), "a graph of 1 token"),
        (lambda: spectral_metrics(A, drop_first=-1), "drop_first=-1"),
        (lambda: spectral_metrics(A, span=(2, 9)), r"span=\(2, 9\) in a text of 8 tokens"),
        (lambda: spectral_metrics(A, span=(4, 4)), r"span=\(4, 4\)"),
        (
            lambda: spectral_metrics(A, metrics=["hfer"]),
            "metric hfer with .* no residual; use one of",
        ),
        (lambda: spectral_metrics(A, X, laplacian="comb", metrics=["hfer"]), "metric hfer with"),
        (lambda: spectral_metrics(A, X[:, :, 1:]), "residual has 7 tokens, the maps have 8"),
        (lambda: spectral_metrics(A, X.expand(2, 2, 8, 4)), r"leading axes \[2, 2\] .* \[2, 3\]"),
        (
            lambda: spectral_metrics(A[:, :2], X[:, 0]),
            r"axes \[2\] and attention \[2, 2\]; .* \[L, 1\]",
        ),
        (lambda: spectral_metrics(A, X / 0), "residual stream is not finite"),
        (lambda: spectral_metrics(A, signal="loud"), "signal=loud; one of rms, raw, centred"),
        (lambda: spectral_metrics(A, betas=(0.0,)), "betas=0.0; must be positive"),
        (lambda: spectral_metrics(A, diagonal="row_sums"), "diagonal=row_sums without self loops"),
        (lambda: spectral_metrics(A, diagonal="mixed", diagonal_share=1.0), "diagonal_share=1.0"),
        (lambda: spectral_metrics(A.requires_grad_(), X), "no gradient through eigenvectors"),
        (lambda: combined_heads(A, "best"), "heads=best; one of each, mean, offdiag_mass"),
        (lambda: list(prefixes(A, [9])), "prefix length 9; must be from 1 to 8, that of the text"),
        (
            lambda: spectral_metrics(A, is_token=torch.ones(2, 1, 7, dtype=torch.bool)),
            "is_token has 7 tokens, the maps have 8",
        ),
        (
            lambda: spectral_metrics(A, is_token=torch.arange(8) < 1),
            "a graph of 1 token .text of 1",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    A.requires_grad_(False)


@pytest.mark.slow
def test_values_of_other_types_are_refused_in_one_line_where_types_are_not_checked():
    code = """
import torch
from physlm.analysis.spectra import eigenvalues, spectral_metrics
from physlm.analysis.spectra.maps import check_maps
from physlm.errors import InputError
a = torch.rand(2, 6, 6).tril()
for call in (
    lambda: eigenvalues(a.numpy()),
    lambda: eigenvalues(a.tolist()),
    lambda: spectral_metrics(a.tolist()),
    lambda: spectral_metrics(a[0, 0]),
    lambda: eigenvalues(torch.eye(4).long()),
    lambda: check_maps(torch.eye(4).long()),
    lambda: spectral_metrics(a, torch.rand(6, 3).numpy()),
    lambda: spectral_metrics(a, span=()),
    lambda: spectral_metrics(a, span=(1.0, 3)),
    lambda: spectral_metrics(a, is_token=torch.ones(6)),
):
    try:
        call()
    except InputError as error:
        print(str(error).partition(" ")[0])
"""
    names = printed(code).split()
    assert names == [*["attention"] * 6, "residual", "span=();", "span=(1.0,", "is_token"]


def test_checked_maps_may_have_rows_below_1_only_if_it_is_declared():
    check_maps(A)
    check_maps(A.bfloat16())
    check_maps(A / 2, sums_to_one=False)


def test_states_without_leading_axes_are_those_of_every_map():
    of_all = spectral_metrics(A, X[0, 0])["smoothness"]
    torch.testing.assert_close(of_all, spectral_metrics(A, X[:1])["smoothness"])


def test_a_graph_without_edges_has_stated_values():
    """Every token sees only itself, or clipping removes all: T components, no energy, no HFER."""
    for a, clip in ((torch.eye(6), 0.0), (attention(6, 6), 2.0)):
        for laplacian in ("sym", "comb", "rw"):
            found = spectral_metrics(a, states(6, 3).to(a), laplacian=laplacian, clip=clip)
            assert found["n_components"] == 6
            zero = ["fiedler", "lambda_max", "energy", "smoothness", "eigenvalue_entropy"]
            assert all(found[name] == 0 for name in zero)
            assert found["heat_trace"] == 6
            assert not {"connectivity_ratio", "eig_hfer", "spacing_ratio"} & set(found)
            assert all(torch.isfinite(value) for value in found.values())


def test_no_signal_has_no_energy_and_no_shares():
    found = spectral_metrics(attention(6, 6), torch.zeros(6, 3, dtype=torch.float64))
    assert found["energy"] == found["smoothness"] == found["spectral_entropy"] == 0
    assert not {name for name in found if name.startswith("hfer")}


def test_a_constant_signal_is_smooth_for_comb_and_not_for_sym():
    x = torch.ones(6, 3, dtype=torch.float64)
    a = attention(6, 6)
    assert float(spectral_metrics(a, x, laplacian="comb")["smoothness"]) == pytest.approx(
        0, abs=1e-12
    )
    assert float(spectral_metrics(a, x)["smoothness"]) > 1e-3
    centred = spectral_metrics(a, x, signal="centred")
    assert centred["energy"] == centred["smoothness"] == 0


def test_what_is_defined_for_some_maps_only_is_masked():
    a, x = attention(3, 6, 6), states(3, 6, 2)
    x[1] = 0
    with pytest.raises(InputError, match=r"hfer\S* is not defined for map \[1\]"):
        spectral_metrics(a, x)
    found = masked_metrics(a, x)
    assert found["hfer"].is_defined.tolist() == [True, False, True]
    assert found["fiedler"].is_defined.all()
    own = spectral_metrics(a[2], x[2])
    assert all(torch.equal(found[name].values[2], value) or name for name, value in own.items())
    torch.testing.assert_close(found["hfer"].values[2], own["hfer"])
    assert all(torch.isfinite(value.values).all() for value in found.values())


def test_two_tokens_are_enough():
    found = spectral_metrics(attention(2, 2), states(2, 3))
    assert float(found["fiedler"]) == pytest.approx(2)
    assert "spacing_ratio" not in found
    assert all(torch.isfinite(value) for value in found.values())
    for laplacian in ("comb", "rw", "directed", "adjacency"):
        found = spectral_metrics(attention(2, 2), states(2, 3), laplacian=laplacian)
        assert all(torch.isfinite(value) for value in found.values())


def test_a_single_token_has_the_eigenvalue_0():
    for laplacian in ("sym", "comb", "rw", "directed"):
        assert eigenvalues(torch.ones(1, 1), laplacian).tolist() == [0]


def test_an_isolated_token_is_a_component():
    w = torch.ones(5, 5, dtype=torch.float64)
    w[4, :4] = w[:4, 4] = 0
    for laplacian in ("sym", "comb", "rw"):
        assert spectral_metrics(w, laplacian=laplacian)["n_components"] == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_components_are_counted_whatever_the_scale_of_the_weights(dtype):
    halves = torch.block_diag(attention(40, 40), attention(30, 30)).to(dtype)
    for scale in (1e-9, 1.0, 1e6):
        for w, expected in ((attention(40, 40).to(dtype), 1), (halves, 2)):
            found = spectral_metrics(scale * w, laplacian="comb", metrics=["n_components"])
            assert found["n_components"] == expected


def test_named_metrics_are_given_and_no_others_and_inputs_stay_as_they_are():
    a, x = attention(6, 6), states(6, 3)
    before = a.clone(), x.clone()
    found = spectral_metrics(a, x, metrics=["hfer", "heat_trace", "self_mass"])
    assert set(found) == {
        "hfer",
        "heat_trace",
        "heat_trace/beta_0.1",
        "heat_trace/beta_10",
        "self_mass",
    }
    for laplacian in ("sym", "comb", "rw", "directed", "adjacency"):
        for symmetrise in ("mean", "max"):
            spectral_metrics(a, x, laplacian=laplacian, symmetrise=symmetrise, self_loops=True)
    eigenvalues(a, "adjacency", "none", self_loops=True)
    assert torch.equal(a, before[0])
    assert torch.equal(x, before[1])
    options = MetricOptions(graph=GraphOptions(), metrics=["hfer"])
    assert set(masked_metrics(a, x, options)) == {"hfer"}
