"""Mamba2: a state that decays by one factor for every head, with keys shared by the heads."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.mixers.linear.chunks import Chunks, column, decay, masked, states_before, summed


def mamba2(
    x: Float[Tensor, "batch seq heads width"],
    b: Float[Tensor, "batch seq state"],
    c: Float[Tensor, "batch seq state"],
    dt: Float[Tensor, "batch seq heads"],
    a_log: Float[Tensor, " heads"],
    d: Float[Tensor, " heads"],
    state: Float[Tensor, "batch heads width state"] | None = None,
    chunk: int = 64,
    *,
    segments: Int[Tensor, "batch seq"] | None = None,
) -> tuple[Float[Tensor, "batch seq heads width"], Float[Tensor, "batch heads width state"]]:
    """Output and last state of S_t = exp(-e^a dt_t) S_(t-1) + dt_t x_t b_t', y_t = S_t c_t + d x_t.

    Args:
        x: Input.
        b: Keys, with which the state is written; all heads share them.
        c: Queries, with which it is read; all heads share them.
        dt: Step sizes, above 0 (0: the token leaves the state as it is).
        a_log: Logarithm of each head's rate of decay.
        d: Factor of the input that is added to the output.
        state: State before the first token; None for zeros. It belongs to the first segment.
        chunk: Tokens that are computed in parallel; the result does not depend on it.
        segments: Document of each token; the state begins anew with each.

    Source:
        Dao and Gu (2024), Transformers are SSMs.
    """
    with torch.autocast(x.device.type, enabled=False):
        chunks = Chunks.of(x.shape[1], chunk, segments)
        steps, inputs = chunks.cut(dt), chunks.cut(x)
        keys, queries = chunks.cut(b[:, :, None]), chunks.cut(c[:, :, None])
        values = steps[..., None] * inputs
        total = summed(-a_log.to(steps.dtype).exp()[:, None] * steps, dim=-1)
        decays = chunks.decays(total, steps)
        own = (queries @ keys.mT * decays) @ values
        end = total[..., -1:]
        to_end = masked(decay(end - total, steps), chunks.writes)
        written = keys.mT @ (to_end[..., None] * values)
        left = masked(decay(end, steps), column(chunks.passes))
        first = written.new_zeros(written[:, 0].shape) if state is None else state.mT.to(written)
        before, last = states_before(left, written, first)
        read = masked(decay(total, steps), chunks.reads)[..., None] * (queries @ before)
        out = read + own + d.to(inputs.dtype)[:, None, None] * inputs
        return chunks.join(out).to(x.dtype), last.mT
