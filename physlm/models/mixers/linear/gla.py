"""Gated linear attention: a state that decays by a factor for every channel of the keys."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.mixers.linear.chunks import Chunks, column, decay, masked, states_before, summed

_PAIRS = 4  # tokens whose decays are compared one by one


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
        state: State before the first token; None for zeros. It belongs to the first segment.
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
        to_end = masked(keys * decay(end - total, keys), column(chunks.writes))
        left = masked(decay(end[..., 0, :], keys), column(chunks.passes))
        written = to_end.mT @ values
        first = written.new_zeros(written[:, 0].shape) if state is None else state.to(written)
        before, last = states_before(left, written, first)
        read = masked(queries * decay(total, queries), column(chunks.reads)) @ before
        own = _scores(queries, keys, total).masked_fill(~chunks.own(q.device), 0.0) @ values
        return chunks.join((read + own) * q.shape[-1] ** -0.5).to(v.dtype), last


def _scores(
    q: Float[Tensor, "batch chunks heads size key"],
    k: Float[Tensor, "batch chunks heads size key"],
    total: Float[Tensor, "batch chunks heads size key"],
) -> Float[Tensor, "batch chunks heads size size"]:
    """Products of queries and keys of a chunk, decayed over the tokens between them.

    exp(-G) overflows after a few strong decays, so exponents are taken only of differences that are
    never positive. Between the halves of a block, they are those from each key to the border, and
    from there to each query, which makes one product of matrices. The halves are halved again, down
    to a few tokens, where the differences of all pairs are formed.
    """
    width = q.shape[3]
    while width % 2 == 0 and width > _PAIRS:
        width //= 2
    scores = _pairs(*(_blocks(x, width) for x in (q, k, total)))
    while width < q.shape[3]:
        between = _between(*(_blocks(x, 2 * width) for x in (q, k, total)))
        first, second = scores[..., ::2, :, :], scores[..., 1::2, :, :]
        upper = torch.nn.functional.pad(first, (0, width))
        scores = torch.cat([upper, torch.cat([between, second], dim=-1)], dim=-2)
        width *= 2
    return scores.squeeze(3)


def _pairs(
    q: Float[Tensor, "*any size key"],
    k: Float[Tensor, "*any size key"],
    total: Float[Tensor, "*any size key"],
) -> Float[Tensor, "*any size size"]:
    """Scores of all pairs in small blocks."""
    is_later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool, device=q.device).triu(1)
    apart = total[..., :, None, :] - total[..., None, :, :]
    decays = decay(apart.masked_fill(is_later[..., None], -torch.inf), q)
    return (q[..., :, None, :] * k[..., None, :, :] * decays).sum(-1)


def _between(
    q: Float[Tensor, "*any size key"],
    k: Float[Tensor, "*any size key"],
    total: Float[Tensor, "*any size key"],
) -> Float[Tensor, "*any half half"]:
    """Scores of queries in the second half of each block with keys in the first."""
    half = q.shape[-2] // 2
    border = total[..., half - 1 : half, :]
    queries = q[..., half:, :] * decay(total[..., half:, :] - border, q)
    keys = k[..., :half, :] * decay(border - total[..., :half, :], k)
    return queries @ keys.mT


def _blocks(x: Float[Tensor, "b n h size key"], width: int) -> Float[Tensor, "b n h m width key"]:
    return x.reshape(*x.shape[:3], -1, width, x.shape[-1])
