"""Spectral metrics of attention maps: ours, and a NumPy pipeline as it is written by hand.

Both begin with the maps of all heads and measure their mean graph, one per layer. NumPy takes
fp64, as `numpy.linalg.eigh` does unless told otherwise; ours stays in the fp32 of the maps. NumPy
is timed twice: symmetrising each head before it averages them, as the published code does, and
averaging first, which is faster and the same for the mean. CPU seconds of one thread are counted,
so that other work on the machine changes figures less.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Row, compare, race
from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.maps import combined_heads

_LENGTHS = (128, 256, 512)
_N_LAYERS, _N_HEADS, _WIDTH = 12, 12, 768
_TURNS = 5
_PEER = "NumPy, one layer after the other"
_AVERAGED = "NumPy, one layer after the other, heads averaged first"


@dataclass(frozen=True, slots=True)
class Texts:
    """The maps and states of one text."""

    attention: Tensor
    residual: Tensor

    @property
    def shape(self) -> str:
        """In words."""
        n_layers, n_heads, size, _ = self.attention.shape
        return f"{n_layers}L {n_heads}H, d {self.residual.shape[-1]}, T {size}"


def text(size: int, n_layers: int = _N_LAYERS, n_heads: int = _N_HEADS) -> Texts:
    """Random causal attention and a random residual stream."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n_layers, n_heads, size, size, generator=generator)
    future = torch.ones(size, size, dtype=torch.bool).triu(1)
    residual = torch.randn(n_layers, size, _WIDTH, generator=generator)
    return Texts(scores.masked_fill(future, -torch.inf).softmax(-1), residual)


def spectra_rows() -> list[Row]:
    """All metrics at three lengths, lambda_2 alone, and how the cost grows."""
    rows = [
        _all_metrics(text(size), peer, run)
        for size in _LENGTHS
        for peer, run in ((_PEER, by_hand), (_AVERAGED, by_hand_averaged))
    ]
    rows.append(_fiedler(text(256)))
    return rows + _growth()


def ours(given: Texts) -> int:
    """All metrics of the mean graph of each layer; the number of graphs."""
    attention = combined_heads(given.attention, "mean")
    return len(spectral_metrics(attention, given.residual)["hfer"])


def ours_per_head(given: Texts) -> int:
    """All metrics of eigenvalues of each head."""
    return spectral_metrics(given.attention)["fiedler"].numel()


def by_hand(given: Texts) -> int:
    """The same metrics, written out; each head symmetrised."""
    for maps, x in zip(given.attention.numpy(), given.residual.numpy(), strict=True):
        maps64 = maps.astype(np.float64)
        w = ((maps64 + maps64.transpose(0, 2, 1)) / 2).mean(0)
        found = metrics_by_hand(maps64.mean(0), w, x)
        assert all(map(math.isfinite, found.values()))
    return len(given.attention)


def by_hand_averaged(given: Texts) -> int:
    """The same metrics, written out; only the mean map symmetrised."""
    for maps, x in zip(given.attention.numpy(), given.residual.numpy(), strict=True):
        a = maps.mean(0).astype(np.float64)
        found = metrics_by_hand(a, (a + a.T) / 2, x)
        assert all(map(math.isfinite, found.values()))
    return len(given.attention)


def metrics_by_hand(
    a: np.ndarray, w: np.ndarray, x: np.ndarray, betas: tuple[float, ...] = (0.1, 1.0, 10.0)
) -> dict[str, float]:
    """Metrics of one layer, from its mean map and its graph, as one reads them in formulas."""
    x = x.astype(np.float64)
    x = x / np.sqrt((x**2).mean(1, keepdims=True))
    size = len(a)
    np.fill_diagonal(w, 0)
    scale = np.diag(1 / np.sqrt(w.sum(1)))
    laplacian = scale @ (np.diag(w.sum(1)) - w) @ scale
    values, vectors = np.linalg.eigh(laplacian)
    values = np.maximum(values, 0)
    energies = ((vectors.T @ x) ** 2).sum(1)
    p, q = energies / energies.sum(), values / values.sum()
    gaps = np.diff(values)
    entropy, value_entropy = -(p * np.log(p)).sum(), -(q[q > 0] * np.log(q[q > 0])).sum()
    found = {
        "fiedler": values[1],
        "spectral_gap": values[1] - values[0],
        "lambda_max": values[-1],
        "connectivity_ratio": values[1] / values[-1],
        "eigenvalue_mean": np.trace(laplacian) / size,
        "eigenvalue_variance": values.var(),
        "eigenvalue_entropy": value_entropy,
        "eigenvalue_entropy_normalised": value_entropy / np.log(size),
        "eig_hfer": values[size // 2 :].sum() / values.sum(),
        "n_components": (values < size * np.finfo(float).eps * values[-1]).sum(),
        "spacing_ratio": (np.minimum(gaps[1:], gaps[:-1]) / np.maximum(gaps[1:], gaps[:-1])).mean(),
        "energy": np.trace(x.T @ laplacian @ x),
        "smoothness": np.trace(x.T @ laplacian @ x) / np.trace(x.T @ x),
        "spectral_entropy": entropy,
        "spectral_entropy_normalised": entropy / np.log(size),
        "hfer": p[values > 1].sum(),
        "hfer_half_max": p[values > values[-1] / 2].sum(),
        "hfer_index_0.5": p[int(0.5 * size + 1e-9) :].sum(),
        "hfer_index_0.1": p[int(0.9 * size + 1e-9) :].sum(),
        "row_entropy": -(a[a > 0] * np.log(a[a > 0])).sum() / size,
        "self_mass": np.diag(a).mean(),
        "sink_mass": a[:, 0].mean(),
        "previous_token_mass": np.diag(a, -1).mean(),
    }
    for beta in betas:
        end = "" if beta == 1 else f"/beta_{beta:g}"
        z = np.exp(-beta * values).sum()
        weights = np.exp(-beta * values) / z
        mean = (weights * values).sum()
        found[f"heat_trace{end}"] = z
        found[f"free_energy{end}"] = -np.log(z) / beta
        found[f"heat_capacity{end}"] = beta**2 * (weights * (values - mean) ** 2).sum()
    return {name: float(value) for name, value in found.items()}


def _all_metrics(given: Texts, peer: str, theirs: Callable[[Texts], int]) -> Row:
    return compare(
        "spectra: all metrics of the mean graph of each layer",
        given.shape,
        peer,
        ours=lambda: ours(given),
        theirs=lambda: theirs(given),
        unit="graphs/CPU-s",
        turns=_TURNS,
        clock=time.process_time,
    )


def _fiedler(given: Texts) -> Row:
    """lambda_2 alone, from the mean map of each layer."""
    attention = given.attention.mean(1)
    matrices = attention.double().numpy()

    def theirs() -> int:
        for a in matrices:
            w = (a + a.T) / 2
            np.fill_diagonal(w, 0)
            scale = 1 / np.sqrt(w.sum(1))
            values, _ = np.linalg.eigh(np.eye(len(w)) - scale[:, None] * w * scale)
            assert values[1] > 0
        return len(matrices)

    return compare(
        "spectra: lambda_2 alone, of mean maps",
        given.shape,
        "numpy.linalg.eigh",
        ours=lambda: len(spectral_metrics(attention, metrics=["fiedler"])["fiedler"]),
        theirs=theirs,
        unit="graphs/CPU-s",
        turns=4 * _TURNS,
        clock=time.process_time,
    )


def _growth() -> list[Row]:
    """Log-log slopes of the CPU time for a text."""
    sized = {size: text(size) for size in _LENGTHS}
    layered = {n: text(256, n_layers=n) for n in (3, 6, 12)}
    headed = {n: text(128, n_layers=4, n_heads=n) for n in (3, 6, 12)}
    return [
        _slope("T, mean graphs", "12L 12H, T 128 to 512", sized, ours, by_hand),
        _slope("layers, mean graphs", "3L to 12L, 12H, T 256", layered, ours, by_hand),
        _slope("heads, eigenvalues of each", "4L, 3H to 12H, T 128", headed, ours_per_head, _each),
    ]


def _each(given: Texts) -> int:
    """Eigenvalues of each head, in NumPy."""
    for a in given.attention.double().numpy().reshape(-1, *given.attention.shape[-2:]):
        w = (a + a.T) / 2
        np.fill_diagonal(w, 0)
        scale = 1 / np.sqrt(w.sum(1))
        np.linalg.eigvalsh(np.eye(len(w)) - scale[:, None] * w * scale)
    return given.attention.shape[0] * given.attention.shape[1]


def _slope(
    of: str,
    shape: str,
    given: dict[int, Texts],
    mine: Callable[[Texts], int],
    peer: Callable[[Texts], int],
) -> Row:
    """Growth exponents of the time with one size of the text."""
    found = []
    for run in (mine, peer):
        seconds = []
        for texts in given.values():

            def once(run: Callable[[Texts], int] = run, texts: Texts = texts) -> int:
                run(texts)
                return 1

            seconds.append(1 / race(_TURNS, time.process_time, once=once)["once"].median)
        slope, _ = np.polyfit(np.log(list(given)), np.log(seconds), 1)
        found.append(float(slope))
    return Row(f"spectra: growth with {of}", shape, _PEER, *found, "exponent", is_cost=True)
