"""Metrics of many graphs at once, and where each is defined, by the cheapest solver for them."""

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.companions import companions
from physlm.analysis.spectra.eigenvalue_metrics import (
    Masked,
    adjacency_metrics,
    always,
    eigenvalue_metrics,
    extreme_metrics,
    extremes_of,
)
from physlm.analysis.spectra.extremal import extremes
from physlm.analysis.spectra.graph import Graph, graph_of
from physlm.analysis.spectra.graph_tokens import GraphTokens, graph_tokens
from physlm.analysis.spectra.laplacians import (
    Spectrum,
    is_triangular,
    spectrum,
    spectrum_and_energies,
    symmetric_operator,
)
from physlm.analysis.spectra.maps import require_tensor, usable
from physlm.analysis.spectra.metric_options import (
    ADJACENCY,
    COMPANIONS,
    EIGENVALUES,
    EXTREMES,
    FORMS,
    MASSES,
    TRACES,
    MetricOptions,
)
from physlm.analysis.spectra.options import GraphOptions, LaplacianKind
from physlm.analysis.spectra.signal_metrics import (
    energy,
    energy_spectrum,
    form_metrics,
    mass_metrics,
    weighted_signal,
)
from physlm.analysis.spectra.signals import Signal, signal_of
from physlm.errors import InputError

_SMALL = 64  # tokens up to which a full decomposition is as fast as Lanczos


def masked_metrics(
    attention: Float[Tensor, "*maps queries keys"],
    residual: Float[Tensor, "*texts tokens width"] | None = None,
    options: MetricOptions | None = None,
    *,
    span: tuple[int, int] | None = None,
    drop_first: int = 0,
    is_token: Bool[Tensor, "*rows marks"] | None = None,
) -> dict[str, Masked]:
    """The metrics of `spectral_metrics`, each with where it is defined.

    Args:
        attention: Maps ``[..., T, T]``.
        residual: Residual stream ``[..., T, d]``, or None.
        options: What is measured.
        span: The tokens of the text that are in the graph, as (first, last + 1).
        drop_first: How many first tokens of the text are left out of the graph.
        is_token: False at padding.

    Raises:
        InputError: If maps or states are not usable, the graph has fewer than two tokens, or the
            operator has no metric of that name.
    """
    options = options or MetricOptions()
    require_tensor(attention, "attention", "[..., T, T]")
    if residual is not None:
        require_tensor(residual, "residual", "[..., T, d]")
    names = options.names(has_signal=residual is not None)
    tokens = graph_tokens(
        attention.shape[-1], is_token, span=span, drop_first=drop_first, device=attention.device
    )
    attention = usable(tokens.without_padding(attention))
    block = tokens.block(attention)
    found: dict[str, Masked] = {}
    if names - {*ADJACENCY, *COMPANIONS}:
        graph = graph_of(block, options.graph, tokens.mask)
        signal = None if residual is None else _signal(residual, attention, tokens, options)
        found |= _laplacian_metrics(graph, signal, names, options)
    if names & set(ADJACENCY):
        graph_options = _of_adjacency(options.graph)
        graph = graph_of(block, graph_options, tokens.mask)
        found |= adjacency_metrics(spectrum(graph, graph_options))
    if names & set(COMPANIONS):
        found |= companions(attention, tokens.is_token, tokens.is_node)
    return {name: value for name, value in found.items() if base(name) in names}


def base(name: str) -> str:
    """The metric without its dimension."""
    return name.partition("/")[0]


def _signal(
    residual: Tensor, attention: Tensor, tokens: GraphTokens, options: MetricOptions
) -> Signal:
    if residual.shape[-2] != attention.shape[-1]:
        raise InputError(
            f"residual has {residual.shape[-2]} tokens, the maps have {attention.shape[-1]}; they "
            "must agree"
        )
    _require_paired_axes(list(residual.shape[:-2]), list(attention.shape[:-2]))
    return signal_of(tokens.rows(residual.to(attention.dtype)), options.signal, tokens.mask)


def _require_paired_axes(states: list[int], maps: list[int]) -> None:
    """States [L, T, d] beside maps [L, H, T, T] would go to heads, if there are L of them."""
    try:
        np.broadcast_shapes(states, maps)
    except ValueError:
        is_broadcast = False
    else:
        is_broadcast = not states or not maps or len(states) == len(maps)
    if not is_broadcast:
        raise InputError(
            f"residual has leading axes {states} and attention {maps}; give equally many, which "
            "can be broadcast, such as [L, 1] and [L, H]"
        )


def _laplacian_metrics(
    graph: Graph, signal: Signal | None, names: set[str], options: MetricOptions
) -> dict[str, Masked]:
    kind = options.graph.laplacian
    found: dict[str, Masked] = {}
    known: Spectrum | None = None
    if signal is not None and names & {*FORMS, *MASSES}:
        weighted = weighted_signal(signal, graph, kind)
        if names & set(MASSES):
            known, energies = spectrum_and_energies(graph, options.graph, weighted)
            found = mass_metrics(energy_spectrum(known, energies), weighted, options)
        else:
            found = form_metrics(energy(graph, weighted, kind), weighted)
    if known is None and _needs_spectrum(graph, names, options.graph):
        known = spectrum(graph, options.graph)
    if names & set(EXTREMES):
        with_largest = bool(names & {"lambda_max", "connectivity_ratio"})
        found |= extreme_metrics(
            extremes(graph, kind, with_largest=with_largest)
            if known is None
            else extremes_of(known)
        )
    if names & set(TRACES):
        found |= _traces(graph, known, options.graph)
    if names & set(EIGENVALUES):
        assert known is not None
        metrics = eigenvalue_metrics(tuple(options.betas))
        found |= {name: metric(known) for name, metric in metrics.items() if base(name) in names}
    return found


def _needs_spectrum(graph: Graph, names: set[str], options: GraphOptions) -> bool:
    """Whether metrics need all eigenvalues; their ends are found by Lanczos, and sums are free."""
    # Lanczos has no gradient, and none is needed where a full decomposition is as fast.
    is_whole = graph.weights.requires_grad or graph.degrees.shape[-1] <= _SMALL
    return (
        bool(names & set(EIGENVALUES))
        or is_triangular(options)
        or (is_whole and bool(names & set(EXTREMES)))
    )


def _traces(graph: Graph, known: Spectrum | None, options: GraphOptions) -> dict[str, Masked]:
    """Mean and variance of the eigenvalues; without a solver, if they are not known."""
    n = graph.n_tokens
    if known is not None:
        values = known.values * known.is_value
        mean = values.sum(-1) / n
        spread = ((values - mean[..., None]) * known.is_value).square().sum(-1) / n
    else:
        matrix = symmetric_operator(graph, options.laplacian)
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).clone()
        mean = diagonal.sum(-1) / n
        apart = diagonal - mean[..., None]
        if graph.is_token is not None:
            apart = apart * graph.is_token
        matrix.diagonal(dim1=-2, dim2=-1).copy_(apart)
        spread = matrix.square().sum((-2, -1)) / n  # |L - mean I|^2, as tr L^2 = sum lambda^2
    return {"eigenvalue_mean": always(mean), "eigenvalue_variance": always(spread)}


def _of_adjacency(options: GraphOptions) -> GraphOptions:
    """The same graph, read as an adjacency matrix."""
    return GraphOptions(
        laplacian=LaplacianKind.adjacency,
        symmetrise=options.symmetrise,
        self_loops=options.self_loops,
        clip=options.clip,
        diagonal=options.diagonal,
        diagonal_share=options.diagonal_share,
    )
