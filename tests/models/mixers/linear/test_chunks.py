"""The chunked forms of linear attention against the recurrences."""

import itertools

import pytest
import torch
from torch.nn.functional import logsigmoid, normalize, softplus

from benchmarks import recurrences
from physlm.models.mixers import linear

KINDS = ("gla", "gated_delta", "mamba2")


def inputs(kind, seq_len, *, seed=0, decay=1.0, dtype=torch.float32):
    """Inputs as a model has them, with decays of any strength."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(2, seq_len, *shape, generator=generator, dtype=dtype)

    if kind == "gla":
        return normal(3, 8), normal(3, 8), normal(3, 5), decay * logsigmoid(normal(3, 8))
    if kind == "gated_delta":
        q, k = normalize(normal(3, 8), dim=-1), normalize(normal(3, 8), dim=-1)
        return q, k, normal(3, 5), -decay * softplus(normal(3)), normal(3).sigmoid()
    a_log = torch.linspace(0, 2.7, 3, dtype=dtype)
    return normal(3, 5), normal(8), normal(8), decay * softplus(normal(3)), a_log, a_log / 3


def both(kind, given, **options):
    return getattr(linear, kind)(*given, **options), getattr(recurrences, kind)(*given)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seq_len", [1, 15, 16, 100])
@pytest.mark.parametrize("decay", [0.01, 1.0, 30.0])
def test_the_chunked_form_is_the_recurrence(kind, seq_len, decay):
    (out, state), (expected, last) = both(kind, inputs(kind, seq_len, decay=decay), chunk=32)
    torch.testing.assert_close(out, expected, rtol=2e-6, atol=5e-6)
    torch.testing.assert_close(state, last, rtol=2e-6, atol=5e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_of_chunks_changes_nothing(kind):
    given = inputs(kind, 50, dtype=torch.float64)
    (expected, last) = getattr(recurrences, kind)(*given)
    for chunk in (1, 5, 16, 20, 64):
        out, state = getattr(linear, kind)(*given, chunk=chunk)
        torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(state, last, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_goes_on_from_its_state(kind):
    given = inputs(kind, 60, dtype=torch.float64)
    n_timed = {"gla": 4, "gated_delta": 5, "mamba2": 4}[kind]
    function = getattr(linear, kind)
    first = [x[:, :37] for x in given[:n_timed]]
    rest = [x[:, 37:] for x in given[:n_timed]]
    before, state = function(*first, *given[n_timed:])
    after, last = function(*rest, *given[n_timed:], state=state)
    whole, end = function(*given)
    torch.testing.assert_close(torch.cat([before, after], dim=1), whole)
    torch.testing.assert_close(last, end)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("borders", [(13,), (16, 17), (3, 40, 41)])
def test_documents_do_not_read_each_other(kind, borders):
    given = inputs(kind, 50, dtype=torch.float64)
    n_timed = {"gla": 4, "gated_delta": 5, "mamba2": 4}[kind]
    segments = torch.zeros(2, 50, dtype=torch.long)
    for border in borders:
        segments[:, border:] += 1
    segments[1] = 7  # one document alone
    out, state = getattr(linear, kind)(*given, segments=segments, chunk=16)
    edges = (0, *borders, 50)
    for first, last in itertools.pairwise(edges):
        part = [x[:1, first:last] for x in given[:n_timed]]
        expected, end = getattr(recurrences, kind)(*part, *given[n_timed:])
        torch.testing.assert_close(out[:1, first:last], expected)
    torch.testing.assert_close(state[:1], end)
    alone, _ = getattr(recurrences, kind)(*[x[1:] for x in given[:n_timed]], *given[n_timed:])
    torch.testing.assert_close(out[1:], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_recurrence(kind):
    given = [x.requires_grad_() for x in inputs(kind, 21, decay=3.0, dtype=torch.float64)]
    found, expected = (
        torch.autograd.grad(out.square().sum() + state.sum(), given)
        for out, state in both(kind, given, chunk=16)
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_changes_no_earlier_output(kind):
    given = [x.requires_grad_() for x in inputs(kind, 40)]
    out, _ = getattr(linear, kind)(*given, chunk=16)
    gradients = torch.autograd.grad(out[:, 19].sum(), given[:4])
    assert all(not gradient[:, 20:].any() for gradient in gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_strong_decays_neither_overflow_nor_vanish_into_nan(kind):
    given = [x.requires_grad_() for x in inputs(kind, 64, decay=1e4)]
    out, _ = getattr(linear, kind)(*given)
    assert out.isfinite().all()
    assert all(g.isfinite().all() for g in torch.autograd.grad(out.sum(), given))
