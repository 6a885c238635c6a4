"""Graphs whose spectra are known, and random attention."""

import networkx as nx
import numpy as np
import torch

NAMED = {
    "path": nx.path_graph(7),
    "cycle": nx.cycle_graph(8),
    "complete": nx.complete_graph(6),
    "star": nx.star_graph(6),
    "bipartite": nx.complete_bipartite_graph(3, 5),
}


def weights(name, dtype=torch.float64):
    return torch.tensor(nx.to_numpy_array(NAMED[name]), dtype=dtype)


def attention(*shape, seed=0, dtype=torch.float64, sharpness=1.0):
    """Causal maps of random scores."""
    generator = torch.Generator().manual_seed(seed)
    scores = sharpness * torch.randn(*shape, generator=generator, dtype=torch.float64)
    future = torch.ones(shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1).to(dtype)


def states(*shape, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def symmetric(a, *, loops=False):
    w = (a + a.T) / 2
    return w if loops else w - np.diag(np.diag(w))
