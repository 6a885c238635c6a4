"""The kernels of flash-linear-attention, and what is passed to them, against our own functions."""

import itertools
import sys
import types

import pytest
import torch

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.mixers import linear
from physlm.models.mixers.linear import kernels
from physlm.models.mixers.linear.linear_mixer import use_kernels
from physlm.models.mixers.linear_config import GlaConfig
from tests.models.mixers.linear.test_chunks import KINDS, inputs

MODULES = {
    "gla": ("fla.ops.gla", "chunk_gla"),
    "gated_delta": ("fla.ops.gated_delta_rule", "chunk_gated_delta_rule"),
    "mamba2": ("fla.ops.simple_gla", "chunk_simple_gla"),
}
SEGMENTS = torch.tensor([[0] * 10 + [1] * 15 + [2] * 15, [5] * 33 + [6] * 7])


def by_token(q, k, v, g, beta=None, *, scale, initial_state, output_final_state, cu_seqlens=None):
    """The recurrences by the library's conventions, token by token."""
    assert output_final_state
    if cu_seqlens is None:
        texts = [(row, 0, q.shape[1]) for row in range(len(q))]
    else:
        bounds = cu_seqlens.tolist()
        texts = [(0, *ends) for ends in itertools.pairwise(bounds)]
    out, last = torch.zeros_like(v), []
    for number, (row, begin, end) in enumerate(texts):
        state = q.new_zeros(q.shape[2], q.shape[3], v.shape[3])
        state = state if initial_state is None else initial_state[number]
        for t in range(begin, end):
            decay = g[row, t].exp()
            state = state * (decay[..., None] if decay.dim() == 2 else decay[:, None, None])
            new = v[row, t]
            if beta is not None:
                known = torch.einsum("hk,hkv->hv", k[row, t], state)
                new = beta[row, t][:, None] * (new - known)
            state = state + k[row, t][..., None] * new[:, None]
            out[row, t] = scale * torch.einsum("hk,hkv->hv", q[row, t], state)
        last.append(state)
    return out, torch.stack(last)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("segments", [None, SEGMENTS])
@pytest.mark.parametrize("has_state", [False, True])
def test_kernels_are_given_what_they_read(monkeypatch, kind, segments, has_state):
    name, function = MODULES[kind]
    library = types.ModuleType(name)
    setattr(library, function, by_token)
    monkeypatch.setitem(sys.modules, name, library)
    given = inputs(kind, 40)
    expected, last = getattr(linear, kind)(*given, segments=segments)
    state = torch.randn(last.shape, generator=torch.Generator().manual_seed(1))
    state = state if has_state else None
    expected, last = getattr(linear, kind)(*given, state, segments=segments)
    out, end = getattr(kernels, kind)(*given, state, segments=segments)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(end, last, rtol=1e-5, atol=2e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_the_library_agrees(kind, segments):
    pytest.importorskip("fla")
    given = [x.cuda().requires_grad_() for x in inputs(kind, 40)]
    segments = None if segments is None else segments.cuda()
    results = [getattr(module, kind)(*given, segments=segments)[0] for module in (linear, kernels)]
    gradients = [torch.autograd.grad(out.square().sum(), given) for out in results]
    # Its products are of TF32.
    torch.testing.assert_close(results[1], results[0], rtol=1e-2, atol=1e-2)
    for own, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(theirs, own, rtol=2e-2, atol=2e-2 * own.abs().max().item())


def test_missing_kernels_are_refused(monkeypatch):
    model = DecoderConfig(
        n_layers=1,
        d_model=16,
        n_heads=2,
        mixer=GlaConfig(n_heads=2),
        position=PositionEncoding.none,
    )
    with pytest.raises(InputError, match="runtime.kernels=true needs an NVIDIA GPU"):
        use_kernels(model.build(8, 8, 0), "cpu")
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs flash-linear-attention"):
        use_kernels(model.build(8, 8, 0), "cuda")
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(InputError, match="no linear attention"):
        use_kernels(DecoderConfig(n_layers=1, d_model=16, n_heads=2).build(8, 8, 0), "cuda")
