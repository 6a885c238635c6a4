"""Every metric of one graph, from SciPy's decomposition and the formulas as they are published."""

import networkx as nx
import numpy as np
import scipy.linalg
import scipy.special
import scipy.stats


def metrics(w, x, kind="sym", betas=(0.1, 1.0, 10.0)):
    """Metrics of symmetric weights and a signal."""
    d = w.sum(1)
    comb = np.diag(d) - w
    if kind == "comb":
        values, vectors = scipy.linalg.eigh(comb)
        energies = ((vectors.T @ x) ** 2).sum(1)
        energy, total = np.trace(x.T @ comb @ x), np.trace(x.T @ x)
    else:
        graph = nx.from_numpy_array(w)
        values, vectors = scipy.linalg.eigh(nx.normalized_laplacian_matrix(graph).toarray())
        if kind == "rw":  # the generalised problem (D - W) v = lambda D v
            values, generalised = scipy.linalg.eigh(comb, np.diag(d))
            energies = ((generalised.T @ np.diag(d) @ x) ** 2).sum(1)
            energy, total = np.trace(x.T @ comb @ x), np.trace(x.T @ np.diag(d) @ x)
        else:
            energies = ((vectors.T @ x) ** 2).sum(1)
            laplacian = nx.normalized_laplacian_matrix(graph).toarray()
            energy, total = np.trace(x.T @ laplacian @ x), np.trace(x.T @ x)
    values = np.maximum(values, 0)
    n, p = len(values), energies / energies.sum()
    gaps = np.diff(values)
    entropy, value_entropy = scipy.stats.entropy(p), scipy.stats.entropy(values)
    found = {
        "fiedler": values[1],
        "spectral_gap": values[1] - values[0],
        "lambda_max": values[-1],
        "connectivity_ratio": values[1] / values[-1],
        "eigenvalue_mean": values.mean(),
        "eigenvalue_variance": values.var(),
        "eigenvalue_entropy": value_entropy,
        "eigenvalue_entropy_normalised": value_entropy / np.log(n),
        "eig_hfer": values[n // 2 :].sum() / values.sum(),
        "n_components": nx.number_connected_components(nx.from_numpy_array(w)),
        "spacing_ratio": np.mean(np.minimum(gaps[1:], gaps[:-1]) / np.maximum(gaps[1:], gaps[:-1])),
        "energy": energy,
        "smoothness": energy / total,
        "spectral_entropy": entropy,
        "spectral_entropy_normalised": entropy / np.log(n),
        "hfer_half_max": p[values > values[-1] / 2].sum(),
        "hfer_index_0.5": p[int(np.floor(0.5 * n + 1e-9)) :].sum(),
        "hfer_index_0.1": p[int(np.floor(0.9 * n + 1e-9)) :].sum(),
    }
    if kind != "comb":
        found["hfer"] = p[values > 1].sum()
    for beta in betas:
        end = "" if beta == 1 else f"/beta_{beta:g}"
        weights = scipy.special.softmax(-beta * values)
        found[f"heat_trace{end}"] = np.exp(-beta * values).sum()
        found[f"free_energy{end}"] = -scipy.special.logsumexp(-beta * values) / beta
        found[f"heat_capacity{end}"] = beta**2 * np.cov(values, aweights=weights, ddof=0)
    return found


def adjacency_metrics(w):
    sizes = np.abs(scipy.linalg.eigvals(w))
    edges = [0, 0.125, 0.25, 0.5, 1, 2, 4, np.inf]
    shares = np.histogram(sizes, edges)[0] / len(w)
    found = {"adjacency_radius": sizes.max(), "adjacency_variance": sizes.var()}
    return found | {f"adjacency_histogram/bin_{i}": share for i, share in enumerate(shares)}


def companions(a):
    n = len(a)
    return {
        "row_entropy": np.mean([scipy.stats.entropy(row) for row in a]),
        "self_mass": np.trace(a) / n,
        "sink_mass": a[:, 0].sum() / n,
        "previous_token_mass": np.mean([a[t, t - 1] for t in range(1, n)]),
    }
