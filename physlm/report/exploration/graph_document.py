"""The page of a text's attention graphs: one HTML file to choose layer, head and layout in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.options import GraphOptions
from physlm.errors import InputError
from physlm.report.exploration.text_graph import TextGraphs
from physlm.report.page.html_file import html_file

_HERE = Path(__file__).parent
_MOST_WEIGHTS = 6_000_000  # in a page, about 15 MB
UNIT = 10_000  # weights are stored as integers, in units of 1 / UNIT, to keep the page small


def layers_of_page(graphs: TextGraphs, layer: int) -> list[int]:
    """All layers, or the chosen one alone if the weights of all are too many for a page.

    Raises:
        InputError: If the text is too long for a page with one layer.
    """
    n_tokens = graphs.maps.shape[-1]
    of_layer = graphs.maps.shape[1] * n_tokens * (n_tokens + 1) // 2
    if of_layer * graphs.n_layers <= _MOST_WEIGHTS:
        return list(range(graphs.n_layers))
    if of_layer > _MOST_WEIGHTS:
        raise InputError(
            f"--graph of {n_tokens} tokens and {graphs.n_heads} heads has {of_layer:,} weights per "
            f"layer; a page holds {_MOST_WEIGHTS:,} at most, give a shorter text"
        )
    return [layer]


def graph_document(
    graphs: TextGraphs, name: str, texts: Sequence[str], layer: int, head: int
) -> str:
    """The HTML of a text's graphs.

    Args:
        graphs: The graphs.
        name: Of the model.
        texts: Visible text of each token.
        layer: Shown first.
        head: Shown first; -1 for the mean of all.
    """
    content = _content(graphs, layers_of_page(graphs, layer)) | {
        "title": name,
        "texts": list(texts),
        "layer": layer,
        "head": head,
    }
    return html_file(
        content,
        styles=[_HERE / "graph.css"],
        scripts=[
            _HERE / "scale.js",
            _HERE / "graph_layout.js",
            _HERE / "graph_details.js",
            _HERE / "graph.js",
        ],
    )


def _content(graphs: TextGraphs, layers: Sequence[int]) -> dict[str, Any]:
    """Plain values: a list for each layer, in it one for each head, the mean last."""
    maps = graphs.maps[list(layers)]
    rows, columns = torch.tril_indices(*maps.shape[-2:])
    attention = (maps[..., rows, columns] * UNIT).round().int()
    degrees = graph_of(maps, GraphOptions()).degrees
    return {
        "layers": list(layers),
        "n_heads": graphs.n_heads,
        "unit": UNIT,
        "attention": attention.tolist(),
        "degrees": _rounded(degrees),
        "fiedler": _rounded(graphs.fiedler[list(layers)]),
        "eigenvalues": _rounded(graphs.eigenvalues[list(layers)][..., [1, -1]]),
    }


def _rounded(values: torch.Tensor) -> Any:
    return (values.double() * UNIT).round().div(UNIT).tolist()
