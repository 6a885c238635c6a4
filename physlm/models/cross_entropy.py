"""Cross-entropy of a linear output layer, computed without holding all logits at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.models.components import ZLossKind
from physlm.models.derivatives import first_only, is_exact

NO_TARGET = -1  # in place of a token id, where nothing is predicted

# Logits of a part: about the size of the caches on a CPU, a gigabyte in fp32 on a GPU. A compiled
# program unrolls the parts, so their number is bounded.
_MOST_LOGITS = {"cpu": 2**21, "cuda": 2**28}
_MOST_PARTS = 8


def summed_cross_entropy(
    logits: Float[Tensor, "tokens vocab"],
    targets: Int[Tensor, " tokens"],
    z_loss: float = 0.0,
    kind: ZLossKind = ZLossKind.log_partition,
) -> Float[Tensor, ""]:
    """Summed loss in nats against the targets that are not `NO_TARGET`.

    Args:
        logits: Unnormalised scores.
        targets: Token ids, or `NO_TARGET`.
        z_loss: Weight of the squares that are added.
        kind: What is squared: log-partition functions (logsumexp), or losses.

    Source:
        Chowdhery et al. (2022), PaLM, section 5, for the z-loss.
    """
    loss = nn.functional.cross_entropy(
        logits.float(), targets, ignore_index=NO_TARGET, reduction="sum"
    )
    if not z_loss:
        return loss
    squares = logits.float().logsumexp(dim=-1).square()
    if kind is ZLossKind.nll:
        squares = nn.functional.cross_entropy(
            logits.float(), targets, ignore_index=NO_TARGET, reduction="none"
        ).square()
    return loss + z_loss * (squares * (targets != NO_TARGET)).sum()


def linear_cross_entropy(
    hidden: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocab width"],
    targets: Int[Tensor, " tokens"],
    z_loss: float = 0.0,
    kind: ZLossKind = ZLossKind.log_partition,
) -> Float[Tensor, ""]:
    """Summed loss in nats of ``hidden @ weight.T`` against the targets that are not `NO_TARGET`.

    Many tokens over a large vocabulary are split into parts. The gradients of a part are computed
    together with its loss, so its logits are not kept; compiled on a CPU, those of a single part,
    too. Second derivatives are refused outside of `derivatives.exact`.

    Args:
        hidden: Normed last states.
        weight: Output head.
        targets: Token ids, or `NO_TARGET`.
        z_loss: Weight of the squares that are added.
        kind: What is squared, see `summed_cross_entropy`.
    """
    most_logits = _MOST_LOGITS.get(hidden.device.type, 2**28)
    n_rows = max(1, most_logits // len(weight), -(-len(hidden) // _MOST_PARTS))
    is_single = len(hidden) <= n_rows
    if is_exact() or (is_single and not _is_faster_with_gradients(hidden)):
        return summed_cross_entropy(nn.functional.linear(hidden, weight), targets, z_loss, kind)
    if not torch.is_grad_enabled():
        parts = zip(torch.split(hidden, n_rows), torch.split(targets, n_rows), strict=True)
        losses = [linear_cross_entropy(h, weight, t, z_loss, kind) for h, t in parts]
        return torch.stack(losses).sum()
    # Autocast is applied by hand: inside the loop it would cast the weight again for every part.
    dtype = _dtype_of_products(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        loss, d_hidden, d_weight = _with_gradients(
            hidden.detach().to(dtype), weight.detach().to(dtype), targets, n_rows, z_loss, kind
        )
    # A linear function with the gradients just computed, minus its own value: adds 0 to the loss,
    # and gives autograd these gradients, under transforms of torch.func and compiled as well.
    of_hidden = first_only(hidden * d_hidden, hidden, weight)
    of_weight = first_only(weight * d_weight, hidden, weight)
    linear = of_hidden.sum() + of_weight.sum()
    return loss + (linear - linear.detach())


def _is_faster_with_gradients(hidden: Tensor) -> bool:
    """In compiled code for CPUs, where the library's loss has a scalar loop over the vocabulary."""
    is_compiled = torch.compiler.is_compiling() and torch.is_grad_enabled()
    return is_compiled and hidden.device.type == "cpu"


def _with_gradients(
    hidden: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocab width"],
    targets: Int[Tensor, " tokens"],
    n_rows: int,
    z_loss: float,
    kind: ZLossKind,
) -> tuple[Float[Tensor, ""], Float[Tensor, "tokens width"], Float[Tensor, "vocab width"]]:
    """The loss and its gradients, ``n_rows`` tokens at a time.

    Args:
        hidden: Normed last states.
        weight: Output head.
        targets: Token ids, or `NO_TARGET`.
        n_rows: Tokens of a part.
        z_loss: Weight of the squares that are added.
        kind: What is squared.
    """
    # Loss and weight gradient are sums over all tokens: fp32, whatever the products are in.
    loss = hidden.new_zeros((), dtype=torch.float32)
    d_hidden, d_weight = [], torch.zeros_like(weight, dtype=torch.float32)
    # Half as wide as the ids: comparisons fill a vector register with as many numbers as logits do.
    vocabulary = torch.arange(len(weight), device=weight.device, dtype=torch.int32)
    for states, target in zip(
        torch.split(hidden, n_rows), torch.split(targets, n_rows), strict=True
    ):
        logits = nn.functional.linear(states, weight).float()
        is_counted = (target != NO_TARGET)[:, None]
        # A comparison instead of a scatter: it fuses with exp and needs no one-hot tensor.
        is_target = vocabulary == target[:, None].int()
        # One exponential of each logit serves the loss and the gradient.
        largest = logits.amax(dim=-1, keepdim=True)
        scaled = (logits - largest).exp()
        sums = scaled.sum(dim=-1, keepdim=True)
        log_z = largest + sums.log()
        nll = (log_z - logits.gather(1, target.clamp(min=0)[:, None])) * is_counted
        loss = loss + nll.sum()
        p = scaled * (1 / sums)
        if z_loss and kind is ZLossKind.log_partition:
            loss = loss + z_loss * (log_z.square() * is_counted).sum()
            p = p * (1 + 2 * z_loss * log_z)  # the gradient of log_z is the distribution itself
        d_logits = (p - is_target.float()) * is_counted
        if z_loss and kind is ZLossKind.nll:
            loss = loss + z_loss * nll.square().sum()
            d_logits = d_logits * (1 + 2 * z_loss * nll)
        d_logits = d_logits.to(states.dtype)
        d_hidden.append(d_logits @ weight)
        d_weight = d_weight + d_logits.mT @ states
    return loss, torch.cat(d_hidden), d_weight


def _dtype_of_products(x: Tensor) -> torch.dtype:
    """Autocast's dtype, except fp16: the loss scaler would scale these gradients too late."""
    kind = x.device.type
    is_bf16 = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) is torch.bfloat16
    return torch.bfloat16 if is_bf16 else torch.float32
