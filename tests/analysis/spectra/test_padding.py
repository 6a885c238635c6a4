"""A padded batch has the metrics of its texts, one by one."""

import pytest
import torch

from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.extremal import fiedler
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from tests.analysis.spectra.graphs import attention, states
from tests.analysis.spectra.test_identities import same

LENGTHS = (9, 16, 5)
SIZE = 16


def batch(side, filling):
    """Texts of several lengths, two heads each, with something at padding."""
    maps = torch.full((len(LENGTHS), 2, SIZE, SIZE), filling, dtype=torch.float64)
    x = torch.full((len(LENGTHS), 1, SIZE, 4), filling, dtype=torch.float64)
    is_token = torch.zeros(len(LENGTHS), 1, SIZE, dtype=torch.bool)
    texts = []
    for i, n in enumerate(LENGTHS):
        own = attention(2, n, n, seed=i), states(n, 4, seed=i + 9)
        at = slice(0, n) if side == "right" else slice(SIZE - n, SIZE)
        maps[i, :, at, at], x[i, 0, at], is_token[i, :, at] = *own, True
        texts.append(own)
    return maps, x, is_token, texts


@pytest.mark.parametrize("laplacian", ["sym", "comb", "rw", "directed", "adjacency"])
@pytest.mark.parametrize(("side", "filling"), [("left", float("nan")), ("right", 1 / SIZE)])
def test_a_padded_batch_is_the_loop_over_cropped_texts(side, laplacian, filling):
    maps, x, is_token, texts = batch(side, filling)
    options = {"laplacian": laplacian, "signal": "centred", "drop_first": int(side == "right")}
    found = spectral_metrics(maps, x, is_token=is_token, **options)
    for i, (own, residual) in enumerate(texts):
        alone = spectral_metrics(own, residual, **options)
        same({name: values[i] for name, values in found.items()}, alone, atol=1e-10)


def test_spans_are_counted_in_tokens_of_each_text():
    maps, x, is_token, texts = batch("left", 1 / SIZE)
    found = spectral_metrics(maps, x, span=(1, 4), is_token=is_token)
    for i, (own, residual) in enumerate(texts):
        alone = spectral_metrics(own, residual, span=(1, 4))
        same({name: values[i] for name, values in found.items()}, alone, atol=1e-10)


@pytest.mark.parametrize("laplacian", ["sym", "comb"])
def test_lambda_2_of_a_padded_batch_is_found_among_tokens(laplacian):
    n, size = 70, 90
    own = attention(70, 70)
    maps = torch.full((1, size, size), 1 / size, dtype=torch.float64)
    maps[0, :n, :n] = own
    is_token = torch.arange(size)[None] < n
    names = ["fiedler", "lambda_max", "connectivity_ratio"]
    found = spectral_metrics(maps, laplacian=laplacian, is_token=is_token, metrics=names)
    whole = spectral_metrics(own, laplacian=laplacian)
    same({k: v[0] for k, v in found.items()}, {k: whole[k] for k in names})
    graph = graph_of(maps, GraphOptions(), is_token)
    assert (fiedler(graph, LaplacianKind.sym).vector[0, n:] == 0).all()
