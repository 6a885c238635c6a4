"""Gated linear attention: a state that decays by a factor for every channel of the keys."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.mixers.linear.chunks import Chunks, decay, masked, states_before, summed

_BLOCK = 16  # tokens whose decays are compared one by one


def gla(
    q: Float[Tensor, "batch seq heads key"],
    k: Float[Tensor, "batch seq heads key"],
    v: Float[Tensor, "batch seq heads value"],
    log_decay: Float[Tensor, "batch seq heads key"],
    state: Float[Tensor, "batch heads key value"] | None = None,
    chunk: int = 64,
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads value"], Float[Tensor, "batch heads key value"]]:
    """Output and last state of S_t = diag(exp(g_t)) S_(t-1) + k_t v_t', o_t = S_t' q_t / sqrt(key).

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        log_decay: g, at most 0.
        state: Before the first token; None for zeros. It belongs to the first segment.
        chunk: Tokens that are computed in parallel; the result does not depend on it.
        segments: Document of each token; the state begins anew with each.

    Source:
        Yang et al. (2023), Gated Linear Attention Transformers with Hardware-Efficient Training.
    """
    with torch.autocast(q.device.type, enabled=False):
        chunks = Chunks.of(q.shape[1], chunk, segments)
        queries, keys, values, g = (chunks.cut(x) for x in (q, k, v, log_decay))
        total = summed(g, dim=3)
        end = total[..., -1:, :]
        to_end = masked(keys * decay(end - total, keys), _column(chunks.writes))
        left = masked(decay(end[..., 0, :], keys), _column(chunks.passes))
        written = to_end.mT @ values
        first = written.new_zeros(written[:, 0].shape) if state is None else state.to(written)
        before, last = states_before(left, written, first)
        read = masked(queries * decay(total, queries), _column(chunks.reads)) @ before
        own = _scores(queries, keys, total).masked_fill(~chunks.own(q.device), 0.0) @ values
        return chunks.join((read + own) * q.shape[-1] ** -0.5).to(v.dtype), last


def _scores(
    q: Float[Tensor, "batch chunks heads size key"],
    k: Float[Tensor, "batch chunks heads size key"],
    total: Float[Tensor, "batch chunks heads size key"],
) -> Float[Tensor, "batch chunks heads size size"]:
    """Products of queries and keys of a chunk, decayed over the tokens between them.

    exp(-G) overflows after a few strong decays. Exponents are therefore taken of differences that
    are never positive: from a key to the block of its query, and from there to the query. In a
    block, the differences of all pairs are formed.
    """
    size = q.shape[3]
    width = max(d for d in range(1, _BLOCK + 1) if size % d == 0)
    is_later = torch.ones(width, width, dtype=torch.bool, device=q.device).triu(1)
    rows = []
    for start in range(0, size, width):
        at = slice(start, start + width)
        g, q_at, k_at = total[..., at, :], q[..., at, :], k[..., at, :]
        apart = g[..., :, None, :] - g[..., None, :, :]
        decays = decay(apart.masked_fill(is_later[..., None], -torch.inf), q)
        parts = [torch.einsum("...ik,...jk,...ijk->...ij", q_at, k_at, decays)]
        if start:
            border = total[..., start - 1 : start, :]
            earlier = k[..., :start, :] * decay(border - total[..., :start, :], k)
            parts.insert(0, (q_at * decay(g - border, q)) @ earlier.mT)
        row = torch.cat(parts, dim=-1)
        rows.append(torch.nn.functional.pad(row, (0, size - start - width)))
    return torch.cat(rows, dim=-2)


def _column(x: Tensor | None) -> Tensor | None:
    return None if x is None else x[..., None]
