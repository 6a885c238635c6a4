"""The gated delta rule: a decaying state in which the new value of a key replaces its old one."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.mixers.linear.chunks import Chunks, decay, masked, summed


def gated_delta(
    q: Float[Tensor, "batch seq heads key"],
    k: Float[Tensor, "batch seq heads key"],
    v: Float[Tensor, "batch seq heads value"],
    log_decay: Float[Tensor, "batch seq heads"],
    beta: Float[Tensor, "batch seq heads"],
    state: Float[Tensor, "batch heads key value"] | None = None,
    chunk: int = 64,
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads value"], Float[Tensor, "batch heads key value"]]:
    """Output and last state; S = exp(g) S, S = S + beta k (v - S' k)', o = S' q / sqrt(key).

    Args:
        q: Queries, normalised by the caller.
        k: Keys, normalised by the caller.
        v: Values.
        log_decay: g, at most 0.
        beta: Strength of writing, from 0 to 1.
        state: State before the first token; None for zeros. It belongs to the first segment.
        chunk: Tokens that are computed in parallel; the result does not depend on it.
        segments: Document of each token; the state begins anew with each.

    Source:
        Yang et al. (2024), Gated Delta Networks.
    """
    with torch.autocast(q.device.type, enabled=False):
        chunks = Chunks.of(q.shape[1], chunk, segments)
        queries, keys, values, g, strengths = (chunks.cut(x) for x in (q, k, v, log_decay, beta))
        total = summed(g, dim=-1)
        decays = chunks.decays(total, g)
        from_state = masked(decay(total, keys), chunks.reads)[..., None]
        # What tokens of a chunk write depends on what earlier ones wrote: a triangular system,
        # whose solution is linear in the state at the beginning of the chunk.
        system = (strengths[..., None] * (keys @ keys.mT) * decays).tril(-1)
        given = strengths[..., None] * torch.cat([values, from_state * keys], dim=-1)
        solved = torch.linalg.solve_triangular(system, given, upper=False, unitriangular=True)
        alone, by_state = solved.split((v.shape[-1], q.shape[-1]), dim=-1)
        scores = queries @ keys.mT * decays
        to_end = keys * masked(decay(total[..., -1:] - total, keys), chunks.writes)[..., None]
        left = masked(decay(total[..., -1], keys), chunks.passes)
        out, last = _through(state, alone, by_state, scores, from_state * queries, to_end, left)
        return chunks.join(out * q.shape[-1] ** -0.5).to(v.dtype), last


def _through(
    state: Float[Tensor, "batch heads key value"] | None,
    alone: Float[Tensor, "batch chunks heads size value"],
    by_state: Float[Tensor, "batch chunks heads size key"],
    scores: Float[Tensor, "batch chunks heads size size"],
    queries: Float[Tensor, "batch chunks heads size key"],
    to_end: Float[Tensor, "batch chunks heads size key"],
    left: Float[Tensor, "batch chunks heads"],
) -> tuple[Float[Tensor, "batch chunks heads size value"], Float[Tensor, "batch heads key value"]]:
    """Chunk by chunk: what is written, given the state, what is read, and the next state.

    Args:
        state: State before the first token.
        alone: What tokens write after an empty state.
        by_state: What tokens write less for each row of the state.
        scores: Decayed products of queries and keys of a chunk.
        queries: Queries, decayed from the beginning of the chunk.
        to_end: Keys, decayed to the end of the chunk.
        left: Factor by which the state at the beginning of a chunk has decayed at its end.
    """
    shape = (*alone.shape[:1], alone.shape[2], queries.shape[-1], alone.shape[-1])
    current = alone.new_zeros(shape) if state is None else state.to(alone.dtype)
    found = []
    for number in range(alone.shape[1]):
        written = alone[:, number] - by_state[:, number] @ current
        found.append(scores[:, number] @ written + queries[:, number] @ current)
        current = left[:, number, :, None, None] * current + to_end[:, number].mT @ written
    return torch.stack(found, dim=1), current
