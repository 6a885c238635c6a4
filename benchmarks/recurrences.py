"""Linear attention as its recurrences are written: one token after the other."""

import torch
from torch import Tensor


def gla(
    q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Decay, write, read; see ``physlm.models.mixers.linear.gla``."""
    state = _first(k, v) if state is None else state
    outs = []
    for t in range(q.shape[1]):
        state = log_decay[:, t].exp()[..., None] * state + k[:, t, :, :, None] * v[:, t, :, None]
        outs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]) / q.shape[-1] ** 0.5)
    return torch.stack(outs, dim=1), state


def gated_delta(
    q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, beta: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Decay, replace the value of the key, read."""
    state = _first(k, v) if state is None else state
    outs = []
    for t in range(q.shape[1]):
        state = log_decay[:, t].exp()[..., None, None] * state
        known = torch.einsum("bhkv,bhk->bhv", state, k[:, t])
        new = beta[:, t, :, None] * (v[:, t] - known)
        state = state + k[:, t, :, :, None] * new[:, :, None]
        outs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]) / q.shape[-1] ** 0.5)
    return torch.stack(outs, dim=1), state


def mamba2(
    x: Tensor,
    b: Tensor,
    c: Tensor,
    dt: Tensor,
    a_log: Tensor,
    d: Tensor,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Decay, write, read, pass on."""
    if state is None:
        state = x.new_zeros(len(x), *x.shape[2:], b.shape[-1])
    outs = []
    for t in range(x.shape[1]):
        decay = (-a_log.exp() * dt[:, t]).exp()[..., None, None]
        write = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, None, None]
        state = decay * state + write
        outs.append(torch.einsum("bhpn,bn->bhp", state, c[:, t]) + d[:, None] * x[:, t])
    return torch.stack(outs, dim=1), state


def _first(k: Tensor, v: Tensor) -> Tensor:
    return k.new_zeros(len(k), k.shape[2], k.shape[3], v.shape[3])
