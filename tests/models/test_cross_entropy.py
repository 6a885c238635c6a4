import pytest
import torch

from physlm.models import cross_entropy
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.components import ZLossKind
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy

N_TOKENS, WIDTH, N_VOCABULARY = 50, 8, 20


@pytest.fixture(autouse=True)
def many_parts(monkeypatch):
    monkeypatch.setattr(cross_entropy, "_MOST_PARTS", 1000)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(N_TOKENS, WIDTH, generator=generator, requires_grad=True)
    weight = torch.randn(N_VOCABULARY, WIDTH, generator=generator, requires_grad=True)
    targets = torch.randint(N_VOCABULARY, (N_TOKENS,), generator=generator)
    targets[[3, 49]] = NO_TARGET
    return hidden, weight, targets


def reference(hidden, weight, targets):
    logits = hidden @ weight.T
    kept = targets >= 0
    return -logits.log_softmax(-1)[kept].gather(1, targets[kept][:, None]).sum()


@pytest.mark.parametrize(
    ("n_rows", "is_compiled"), [(1, False), (7, False), (50, True), (99, True)]
)
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_any_parts_give_the_loss_and_gradients_of_the_whole(
    case, n_rows, is_compiled, factor, monkeypatch
):
    monkeypatch.setattr(cross_entropy, "_is_faster_with_gradients", lambda _: is_compiled)
    monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", n_rows * N_VOCABULARY)
    expected = reference(*case) * factor
    loss = linear_cross_entropy(*case) * factor
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(
        torch.autograd.grad(loss, case[:2]), torch.autograd.grad(expected, case[:2]), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ZLossKind)
@pytest.mark.parametrize("n_rows", [7, 1000])
def test_the_z_loss_adds_squares_of_targets(case, n_rows, kind, monkeypatch):
    monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", n_rows * N_VOCABULARY)
    hidden, weight, targets = case
    scores = (hidden @ weight.T)[targets >= 0]
    values = scores.exp().sum(dim=1).log()
    if kind is ZLossKind.nll:
        values = values - scores.gather(1, targets[targets >= 0][:, None])[:, 0]
    expected = reference(*case) + 0.3 * values.square().sum()
    loss = linear_cross_entropy(*case, z_loss=0.3, kind=kind)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(
        torch.autograd.grad(loss, case[:2]), torch.autograd.grad(expected, case[:2]), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*case, z_loss=0.3, kind=kind), expected)


@pytest.mark.parametrize("kind", [DecoderConfig, EncoderConfig])
def test_only_training_has_a_z_loss(kind):
    plain, squared = (kind(n_layers=1, d_model=8, z_loss=z).build(20, 12, 0) for z in (0.0, 0.1))
    tokens = torch.randint(20, (4, 12), generator=torch.Generator().manual_seed(0))
    windows = tokens, tokens.roll(-1, 1)
    assert squared.loss(*windows) > plain.loss(*windows) + 1
    assert squared.eval().loss(*windows) == plain.eval().loss(*windows)


@pytest.mark.parametrize("kind", [DecoderConfig, EncoderConfig])
def test_a_model_squares_what_its_z_loss_says(kind):
    losses = {
        name: kind(n_layers=1, d_model=8, z_loss=0.1, z_loss_kind=name).build(20, 12, 0)
        for name in ("log_partition", "nll")
    }
    tokens = torch.randint(20, (4, 12), generator=torch.Generator().manual_seed(0))
    found = {}
    for name, model in losses.items():
        torch.manual_seed(0)
        found[name] = model.loss(tokens, tokens.roll(-1, 1)).item()
    assert found["nll"] != pytest.approx(found["log_partition"], rel=1e-4)
    with pytest.raises(ValueError, match="z_loss_kind=nll with z_loss=0.0, .* set z_loss"):
        kind(z_loss_kind="nll")


def test_parts_are_right_where_the_output_layer_is_also_the_embedding(case, monkeypatch):
    _, weight, targets = case
    gradients = []
    for n_rows in (6, 1000):
        monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", n_rows * N_VOCABULARY)
        hidden = torch.nn.functional.embedding(targets.clamp(min=0), weight).tanh()
        gradients += torch.autograd.grad(linear_cross_entropy(hidden, weight, targets), weight)
    torch.testing.assert_close(*gradients)


def test_parts_need_no_gradients(case, monkeypatch):
    monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", 7 * N_VOCABULARY)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*case), reference(*case))


def test_parts_under_bf16_are_right_to_its_tolerance(case, monkeypatch):
    monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", 7 * N_VOCABULARY)
    expected = torch.autograd.grad(reference(*case), case[:2])
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        loss = linear_cross_entropy(*case)
    found = torch.autograd.grad(loss, case[:2])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0.05)


def test_a_program_never_holds_many_parts(case, monkeypatch):
    monkeypatch.setattr(cross_entropy, "_MOST_PARTS", 4)
    monkeypatch.setitem(cross_entropy._MOST_LOGITS, "cpu", N_VOCABULARY)
    calls = []
    amax = torch.Tensor.amax
    monkeypatch.setattr(
        torch.Tensor, "amax", lambda x, **dims: calls.append(len(x)) or amax(x, **dims)
    )
    linear_cross_entropy(*case)
    assert calls == [13, 13, 13, 11]


def test_fp16_takes_no_gradient_in_its_own_range(case):
    assert cross_entropy._dtype_of_products(case[0]) is torch.float32
    with torch.autocast("cpu", torch.float16):
        assert cross_entropy._dtype_of_products(case[0]) is torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert cross_entropy._dtype_of_products(case[0]) is torch.bfloat16
