"""All metrics of the spectra of attention graphs, as one dict of tensors."""

from collections.abc import Mapping, Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.spectra.masked import masked_metrics
from physlm.analysis.spectra.metric_options import BETAS, MetricOptions
from physlm.analysis.spectra.options import (
    Diagonal,
    GraphOptions,
    LaplacianKind,
    SignalKind,
    Symmetrise,
)
from physlm.errors import InputError, refused_values


def spectral_metrics(
    attention: Float[Tensor, "*maps queries keys"],
    residual: Float[Tensor, "*texts tokens width"] | None = None,
    *,
    laplacian: LaplacianKind | str = LaplacianKind.sym,
    symmetrise: Symmetrise | str = Symmetrise.mean,
    self_loops: bool = False,
    clip: float = 0.0,
    signal: SignalKind | str = SignalKind.rms,
    drop_first: int = 0,
    metrics: Sequence[str] | None = None,
    diagonal: Diagonal | str = Diagonal.unchanged,
    diagonal_share: float = 0.5,
    span: tuple[int, int] | None = None,
    is_token: Bool[Tensor, "*rows marks"] | None = None,
    betas: tuple[float, ...] = BETAS,
    hfer_cut: str | float = "above_one",
) -> dict[str, Float[Tensor, "..."]]:
    """Metrics of the graph of each attention map, one value per map.

    A metric that is defined for no map is left out, such as ``hfer`` of a signal that is 0.

    Args:
        attention: Maps ``[..., T, T]`` with any leading axes. `maps.check_maps` checks that rows
            sum to 1; here they need not. `maps.combined_heads` averages heads before.
        residual: Residual stream ``[..., T, d]`` before the final norm. Its leading axes are
            broadcast against those of the attention, and are equally many: ``[L, 1, T, d]`` for
            ``[L, H, T, T]``; or ``[T, d]``, one text's for all maps. None: no hybrid metrics.
        laplacian: The operator: sym, comb, rw, directed or adjacency.
        symmetrise: How a map becomes symmetric: mean, max, or none (adjacency with loops only).
        self_loops: Whether the diagonal stays in the weights and the degrees.
        clip: Weights below it become 0.
        signal: rms, raw or centred.
        drop_first: How many first tokens of the text are left out of the graph.
        metrics: Names; None for all that the operator and the input have. ``adjacency_*`` of other
            operators than adjacency are computed only if named. A name selects all its dimensions,
            as ``heat_trace`` does ``heat_trace/beta_10``.
        diagonal: What is done to the diagonal before self loops are removed.
        diagonal_share: The fraction a of ``diagonal=mixed``.
        span: The tokens of the text that are in the graph, as (first, last + 1). The block is cut
            out before degrees are taken.
        is_token: For padded batches, False at padding on either side; its leading axes are
            broadcast against those of the attention.
        betas: Inverse temperatures of heat_trace, free_energy and heat_capacity.
        hfer_cut: Cut of ``hfer``: above_one, half_max, or the upper fraction of all modes.

    Raises:
        InputError: If maps or states are not usable, the graph has fewer than two tokens, a name or
            an option is not valid, or a metric is defined for some maps only; `masked_metrics`
            measures these.
    """
    with refused_values():
        options = MetricOptions(
            graph=GraphOptions(
                laplacian=laplacian,  # type: ignore[arg-type]
                symmetrise=symmetrise,  # type: ignore[arg-type]
                self_loops=self_loops,
                clip=clip,
                diagonal=diagonal,  # type: ignore[arg-type]
                diagonal_share=diagonal_share,
            ),
            signal=signal,  # type: ignore[arg-type]
            metrics=metrics,  # type: ignore[arg-type]
            betas=list(betas),
            hfer_cut=str(hfer_cut),
        )
    found = masked_metrics(
        attention, residual, options, span=span, drop_first=drop_first, is_token=is_token
    )
    for name, (_, is_defined) in found.items():
        if is_defined.any() and not is_defined.all():
            index = (~is_defined).nonzero()[0].tolist()
            raise InputError(
                f"{name} is not defined for map {index}, which has no edges or no signal; "
                "leave it out of metrics, or use masked_metrics"
            )
    return {name: values for name, (values, is_defined) in found.items() if is_defined.all()}


def velocities(
    metrics: Mapping[str, Float[Tensor, "..."]], layer_axis: int = 0
) -> dict[str, Float[Tensor, "..."]]:
    """Differences of each metric between neighbouring layers, metric(l + 1) - metric(l).

    Raises:
        InputError: If there is only one layer.
    """
    found = {f"{name}_velocity": values.diff(dim=layer_axis) for name, values in metrics.items()}
    if any(values.shape[layer_axis] == 0 for values in found.values()):
        raise InputError("velocities need two or more layers, and these are metrics of one")
    return found
