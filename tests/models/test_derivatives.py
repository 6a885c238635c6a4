"""Second derivatives: right against plain products in float64, or refused."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from physlm.errors import InputError
from physlm.models import cross_entropy as loss_in_parts
from physlm.models.attention_mask import AttentionMask
from physlm.models.channels.mlp import _LinearOf, gated_silu, gelu
from physlm.models.cross_entropy import linear_cross_entropy
from physlm.models.derivatives import exact
from physlm.models.mixers.attention_kernels import attend
from tests.models.test_decoder import config, tokens
from tests.models.test_transformers_format import scramble

SEQ_LEN = 70  # two blocks of queries


def heads(dtype=torch.float64, n_kv=2, seq_len=SEQ_LEN):
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, seq_len, 4), (n_kv, seq_len, 4), (n_kv, seq_len, 4)]
    return [torch.randn(1, *s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]


def plain_attention(q, k, v):
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    is_future = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu(1)
    scores = (q @ k.mT / math.sqrt(q.shape[3])).masked_fill(is_future, -math.inf)
    return scores.softmax(dim=-1) @ v


def attention(q, k, v):
    return attend(q, k, v, AttentionMask(is_causal=True))


def states():
    generator = torch.Generator().manual_seed(0)
    shapes = [(20, 4), (30, 4)]
    return [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]


TARGETS = torch.arange(20) % 7 - 1


def loss(hidden, weight):
    return linear_cross_entropy(hidden, weight, TARGETS)


def plain_loss(hidden, weight):
    return cross_entropy(linear(hidden, weight), TARGETS, ignore_index=-1, reduction="sum")


@pytest.fixture(autouse=True)
def few_logits(monkeypatch):
    """The loss of these few tokens is taken in parts, too."""
    monkeypatch.setattr(loss_in_parts, "_MOST_LOGITS", {"cpu": 64})


def curvature(function, inputs):
    """Gradients of the squared norm of the gradients, by autograd."""
    inputs = [x.detach().requires_grad_() for x in inputs]
    first = torch.autograd.grad(function(*inputs).square().sum(), inputs, create_graph=True)
    norm = sum(g.double().square().sum() for g in first)
    return torch.autograd.grad(norm, inputs)


def nested(function, inputs):
    """The same by nested transforms."""
    which = tuple(range(len(inputs)))

    def norm(*inputs):
        first = torch.func.grad(lambda *x: function(*x).square().sum(), which)(*inputs)
        return sum(g.double().square().sum() for g in first)

    return torch.func.grad(norm, which)(*inputs)


KERNELS = {
    "attention": (attention, plain_attention, heads()),
    "shared keys": (attention, plain_attention, heads(n_kv=1)),
    "loss": (loss, plain_loss, states()),
}


@pytest.mark.parametrize("name", KERNELS)
def test_second_derivatives_are_refused_or_exact(name):
    kernel, plain, inputs = KERNELS[name]
    with pytest.raises(InputError, match=r"no second derivatives; call it within .*exact\(\)"):
        curvature(kernel, inputs)
    expected = curvature(plain, inputs)
    with exact():
        torch.testing.assert_close(curvature(kernel, inputs), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(nested(kernel, inputs), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_causal", [True, False])
def test_every_kernel_of_attention_refuses_second_derivatives(dtype, is_causal):
    with pytest.raises(InputError, match="no second derivatives"):
        curvature(lambda *qkv: attend(*qkv, AttentionMask(is_causal=is_causal)), heads(dtype))


def test_second_derivatives_in_other_variables_are_refused_too():
    hidden, weight = (x.requires_grad_() for x in states())
    (first,) = torch.autograd.grad(loss(hidden, weight), hidden, create_graph=True)
    with pytest.raises(InputError, match="no second derivatives"):
        torch.autograd.grad(first.sum(), weight, allow_unused=True)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own
def test_derivatives_forwards_are_exact():
    q, k, v = heads(seq_len=5)
    found = torch.func.hessian(lambda q: attention(q, k, v).square().sum())(q)
    expected = torch.func.hessian(lambda q: plain_attention(q, k, v).square().sum())(q)
    torch.testing.assert_close(found, expected)
    hidden, weight = states()
    found = torch.func.jvp(lambda h: loss(h, weight), (hidden,), (hidden,))
    expected = torch.func.jvp(lambda h: plain_loss(h, weight), (hidden,), (hidden,))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4, check_dtype=False)


def test_gradients_of_transforms_that_are_differentiated_from_outside_are_exact():
    inputs = [x.requires_grad_() for x in states()]
    found, expected = (
        torch.autograd.grad(torch.func.grad(f)(*inputs).square().sum(), inputs)
        for f in (loss, plain_loss)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("activation", "n_inputs"), [(gelu, 1), (gated_silu, 2)])
def test_an_activation_computed_again_has_right_second_derivatives(activation, n_inputs):
    generator = torch.Generator().manual_seed(0)
    weight, *inputs = (
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True)
        for s in [(3, 4)] + [(2, 5, 4)] * n_inputs
    )
    torch.autograd.gradgradcheck(lambda *x: _LinearOf.apply(activation, *x), (weight, *inputs))


@pytest.mark.parametrize("style", ["learned", "llama", "relative", "position only"])
def test_a_whole_model_has_the_curvature_that_finite_differences_show(style):
    torch.manual_seed(0)
    model, texts = scramble(config(style).build(20, 12, 0)).double(), tokens()
    parameters = list(model.parameters())
    direction = [torch.randn_like(p) for p in parameters]

    def slope(*, create_graph):
        value = model.loss(texts[:, :-1], texts[:, 1:])
        first = torch.autograd.grad(value, parameters, create_graph=create_graph)
        return sum((g * d).sum() for g, d in zip(first, direction, strict=True))

    with exact():
        second = torch.autograd.grad(slope(create_graph=True), parameters, materialize_grads=True)
        found = sum((g * d).sum() for g, d in zip(second, direction, strict=True))
    slopes = []
    for step in (2e-4, -4e-4):
        torch._foreach_add_([p.data for p in parameters], direction, alpha=step)
        slopes.append(slope(create_graph=False))
    torch.testing.assert_close(found, (slopes[0] - slopes[1]) / 4e-4, atol=1e-2, rtol=5e-3)


def test_first_derivatives_are_the_same_when_nothing_is_differentiated_twice():
    inputs = [x.float().requires_grad_() for x in heads()]
    kept, again = (
        torch.autograd.grad(attention(*inputs).sum(), inputs, create_graph=keep)
        for keep in (False, True)
    )
    assert all(torch.equal(a, b) for a, b in zip(kept, again, strict=True))
