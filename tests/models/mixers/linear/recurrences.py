"""The recurrences of linear attention, one token after the other."""

import torch


def gla(q, k, v, log_decay, state=None):
    """As it is defined: decay, write, read."""
    state = _first(k, v) if state is None else state
    outs = []
    for t in range(q.shape[1]):
        state = log_decay[:, t].exp()[..., None] * state + k[:, t, :, :, None] * v[:, t, :, None]
        outs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]) / q.shape[-1] ** 0.5)
    return torch.stack(outs, dim=1), state


def gated_delta(q, k, v, log_decay, beta, state=None):
    """As it is defined: decay, replace the value of the key, read."""
    state = _first(k, v) if state is None else state
    outs = []
    for t in range(q.shape[1]):
        state = log_decay[:, t].exp()[..., None, None] * state
        known = torch.einsum("bhkv,bhk->bhv", state, k[:, t])
        new = beta[:, t, :, None] * (v[:, t] - known)
        state = state + k[:, t, :, :, None] * new[:, :, None]
        outs.append(torch.einsum("bhkv,bhk->bhv", state, q[:, t]) / q.shape[-1] ** 0.5)
    return torch.stack(outs, dim=1), state


def mamba2(x, b, c, dt, a_log, d, state=None):
    """As it is defined: decay, write, read, pass on."""
    if state is None:
        state = x.new_zeros(len(x), *x.shape[2:], b.shape[-1])
    outs = []
    for t in range(x.shape[1]):
        decay = (-a_log.exp() * dt[:, t]).exp()[..., None, None]
        write = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, None, None]
        state = decay * state + write
        outs.append(torch.einsum("bhpn,bn->bhp", state, c[:, t]) + d[:, None] * x[:, t])
    return torch.stack(outs, dim=1), state


def _first(k, v):
    return k.new_zeros(len(k), k.shape[2], k.shape[3], v.shape[3])
