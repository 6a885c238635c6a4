"""The attention graphs of one text: maps, Fiedler vectors and metrics of each layer and head."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from physlm.analysis.spectra.extremal import fiedler
from physlm.analysis.spectra.graph import graph_of
from physlm.analysis.spectra.laplacians import spectrum
from physlm.analysis.spectra.maps import check_maps, prefixes
from physlm.analysis.spectra.masked import masked_metrics
from physlm.analysis.spectra.metric_options import COMPANIONS, MetricOptions
from physlm.analysis.spectra.options import GraphOptions
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel

MEAN = -1  # the head that stands for the mean map of a layer
LEAST_TOKENS = 3  # two tokens have one edge
METRICS = ("fiedler", "lambda_max", "eigenvalue_variance", "smoothness", "hfer", *COMPANIONS)
TRACED = ("fiedler", "smoothness")


@dataclass(frozen=True, slots=True, eq=False)
class TextGraphs:
    """Graphs of the symmetric normalised Laplacian, without self loops.

    Attributes:
        maps: Attention by layer and head; the last head is the mean of the others.
        eigenvalues: Of each graph, ascending.
        fiedler: The eigenvector of the second eigenvalue; its largest entry is positive.
        metrics: One row per layer and head (`MEAN` for the mean): its `METRICS`.
    """

    maps: Float[Tensor, "layers heads tokens tokens"]
    eigenvalues: Float[Tensor, "layers heads tokens"]
    fiedler: Float[Tensor, "layers heads tokens"]
    metrics: pl.DataFrame

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.maps.shape[0]

    @property
    def n_heads(self) -> int:
        """Number of heads, without the mean."""
        return self.maps.shape[1] - 1


@torch.inference_mode()
def text_graphs(model: LanguageModel, tokens: Sequence[int]) -> TextGraphs:
    """The graph of every layer and head on one text.

    Raises:
        InputError: If the model has no attention maps, or the text has fewer than three tokens.
    """
    if len(tokens) < LEAST_TOKENS:
        raise InputError(
            f"--graph of {len(tokens)} tokens; give a text of at least {LEAST_TOKENS} tokens"
        )
    window = torch.tensor([list(tokens)], device=model.device)
    states = model.residuals(window).double().cpu()
    options = GraphOptions()
    maps, values, vectors, metrics = [], [], [], []
    for layer, patterns in model.attention_patterns(window):
        own = _with_mean(patterns[0], layer)
        graph = graph_of(own, options)
        maps.append(own)
        values.append(spectrum(graph, options).values)
        vectors.append(_signed(fiedler(graph, options.laplacian).vector))
        metrics += _metrics(own, states[layer + 1], layer)
    return TextGraphs(
        torch.stack(maps), torch.stack(values), torch.stack(vectors), pl.DataFrame(metrics)
    )


@torch.inference_mode()
def traces(model: LanguageModel, tokens: Sequence[int], layer: int, head: int) -> pl.DataFrame:
    """Metrics of the text up to each token, and the log-probability (nats) of that token.

    Args:
        model: The model.
        tokens: The text.
        layer: Of the graph.
        head: Of the graph; `MEAN` for the mean of the layer.

    Returns:
        Columns ``position``, ``log_probability`` and those of `TRACED`, null where a prefix does
        not define it.
    """
    window = torch.tensor([list(tokens)], device=model.device)
    _, patterns = next(iter(model.attention_patterns(window, [layer])))
    own = _with_mean(patterns[0], layer)[head]
    state = model.residuals(window, [layer + 1])[0].double().cpu()
    log_p = model(window[:, :-1]).float().log_softmax(-1).gather(-1, window[:, 1:, None])[0, :, 0]
    lengths = range(LEAST_TOKENS, len(tokens) + 1)
    rows = [
        {
            "position": n - 1,
            "log_probability": float(log_p[n - 2]),
            **_defined(block, state[:, :n], TRACED)[0],
        }
        for n, block in zip(lengths, prefixes(own[None], lengths), strict=True)
    ]
    return pl.DataFrame(rows)


def _with_mean(patterns: Tensor, layer: int) -> Tensor:
    """The maps of the heads, followed by their mean."""
    check_maps(patterns, layer, sums_to_one=False)
    maps = patterns.double().cpu()
    return torch.cat([maps, maps.mean(0, keepdim=True)])


def _signed(vectors: Tensor) -> Tensor:
    """Eigenvectors whose entry of the largest magnitude is positive."""
    largest = vectors.gather(-1, vectors.abs().argmax(-1, keepdim=True))
    return vectors * largest.sign()


def _metrics(maps: Tensor, state: Tensor, layer: int) -> list[dict[str, float | int | None]]:
    heads = [*range(len(maps) - 1), MEAN]
    found = _defined(maps, state, METRICS)
    return [{"layer": layer, "head": head} | own for head, own in zip(heads, found, strict=True)]


def _defined(maps: Tensor, state: Tensor, names: Sequence[str]) -> list[dict[str, float | None]]:
    """The metrics of each map; None for those that it does not define."""
    found = masked_metrics(maps, state, MetricOptions(metrics=list(names)))
    return [
        {
            name: float(found[name].values[i]) if found[name].is_defined[i] else None
            for name in names
        }
        for i in range(len(maps))
    ]
