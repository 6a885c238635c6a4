"""The recurrences of linear attention by the GPU kernels of the library flash-linear-attention.

Same arguments and results as the functions in chunks, up to rounding; the kernels choose their own
chunks. They cannot be compiled.
"""

import importlib.util
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.errors import InputError

PACKAGE = "flash-linear-attention"


def require_kernels(device: str) -> None:
    """Require the library, and that the model is on a GPU.

    Args:
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: If one of them is missing.
    """
    if device != "cuda":
        raise InputError("runtime.kernels=true needs an NVIDIA GPU; leave it out")
    if importlib.util.find_spec("fla") is None:
        raise InputError(
            f"runtime.kernels=true needs {PACKAGE}; pip install {PACKAGE}, or leave it out"
        )


def gla(
    q: Float[Tensor, "batch seq heads key"],
    k: Float[Tensor, "batch seq heads key"],
    v: Float[Tensor, "batch seq heads value"],
    log_decay: Float[Tensor, "batch seq heads key"],
    state: Float[Tensor, "batch heads key value"] | None = None,
    chunk: int = 64,  # noqa: ARG001
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads value"], Float[Tensor, "batch heads key value"]]:
    """As `physlm.models.mixers.linear.gla`."""
    from fla.ops.gla import chunk_gla

    scale = q.shape[-1] ** -0.5
    return _through(chunk_gla, (q, k, v), {"g": log_decay}, state, segments, scale)


def gated_delta(
    q: Float[Tensor, "batch seq heads key"],
    k: Float[Tensor, "batch seq heads key"],
    v: Float[Tensor, "batch seq heads value"],
    log_decay: Float[Tensor, "batch seq heads"],
    beta: Float[Tensor, "batch seq heads"],
    state: Float[Tensor, "batch heads key value"] | None = None,
    chunk: int = 64,  # noqa: ARG001
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads value"], Float[Tensor, "batch heads key value"]]:
    """As `physlm.models.mixers.linear.gated_delta`."""
    from fla.ops.gated_delta_rule import chunk_gated_delta_rule

    gates, scale = {"g": log_decay, "beta": beta}, q.shape[-1] ** -0.5
    return _through(chunk_gated_delta_rule, (q, k, v), gates, state, segments, scale)


def mamba2(
    x: Float[Tensor, "batch seq heads width"],
    b: Float[Tensor, "batch seq state"],
    c: Float[Tensor, "batch seq state"],
    dt: Float[Tensor, "batch seq heads"],
    a_log: Float[Tensor, " heads"],
    d: Float[Tensor, " heads"],
    state: Float[Tensor, "batch heads width state"] | None = None,
    chunk: int = 64,  # noqa: ARG001
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads width"], Float[Tensor, "batch heads width state"]]:
    """As `physlm.models.mixers.linear.mamba2`: gated attention with one decay for each head."""
    from fla.ops.simple_gla import chunk_simple_gla

    q, k = (shared[:, :, None].expand(-1, -1, x.shape[2], -1) for shared in (c, b))
    out, last = _through(
        chunk_simple_gla,
        (q, k, dt[..., None] * x),
        {"g": -a_log.exp() * dt},
        None if state is None else state.mT,
        segments,
        1.0,
    )
    return out.to(x.dtype) + d.to(x.dtype)[:, None] * x, last.mT


def _through(
    kernel: Callable[..., tuple[Tensor, Tensor]],
    inputs: tuple[Tensor, Tensor, Tensor],
    gates: dict[str, Tensor],
    state: Float[Tensor, "batch heads key value"] | None,
    segments: Int[Tensor, "batch seq"] | None,
    scale: float,
) -> tuple[Float[Tensor, "batch seq heads value"], Float[Tensor, "batch heads key value"]]:
    """Output and last state of a kernel; segments are texts of their own in one long row.

    Args:
        kernel: A kernel of the library.
        inputs: Queries, keys and values.
        gates: Its other inputs, one for each token and head.
        state: State before the first token; it belongs to the first segment of its row.
        segments: Document of each token.
        scale: Scale of the queries.
    """
    values = inputs[2]
    n_batch, n_tokens, n_heads, d_value = values.shape
    given = [part.to(values.dtype).contiguous() for part in inputs]
    others = {name: gate.float().contiguous() for name, gate in gates.items()}
    settings = {"scale": scale, "output_final_state": True}
    first = None if state is None else state.float().contiguous()
    if segments is None:
        return kernel(*given, **others, initial_state=first, **settings)
    starts, rows = _texts(segments)
    numbers = torch.arange(n_batch, device=rows.device)
    if first is not None:
        begun = first.new_zeros(len(rows), *first.shape[1:])
        begun[torch.searchsorted(rows, numbers)] = first
        first = begun
    out, last = kernel(
        *(part.flatten(0, 1)[None] for part in given),
        **{name: gate.flatten(0, 1)[None] for name, gate in others.items()},
        initial_state=first,
        cu_seqlens=starts,
        **settings,
    )
    ends = torch.searchsorted(rows, numbers, right=True) - 1
    return out.reshape(n_batch, n_tokens, n_heads, d_value), last[ends]


def _texts(
    segments: Int[Tensor, "batch seq"],
) -> tuple[Int[Tensor, " bounds"], Int[Tensor, " texts"]]:
    """Where each text begins in the flattened rows, and where the last ends; the row of each."""
    is_first = torch.ones_like(segments, dtype=torch.bool)
    is_first[:, 1:] = segments[:, 1:] != segments[:, :-1]
    begins = is_first.flatten().nonzero().flatten()
    bounds = torch.cat([begins, begins.new_tensor([segments.numel()])])
    return bounds, begins // segments.shape[1]
