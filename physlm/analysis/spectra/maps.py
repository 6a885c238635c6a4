"""Attention maps before they are graphs: checks, heads, prefixes."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.analysis.spectra.options import Heads
from physlm.errors import InputError, refused_values
from physlm.schema import converted


def check_maps(
    attention: Float[Tensor, "*maps queries keys"],
    layer: int | None = None,
    *,
    sums_to_one: bool = True,
) -> None:
    """Check what a model gave as attention maps before anything is computed from them.

    Args:
        attention: Maps; row t is what token t attends to.
        layer: Their layer, for the message; otherwise the leading axes are taken to be ``[...,
            layer, head]``.
        sums_to_one: False for models whose rows may sum to less, such as those with sinks.

    Raises:
        InputError: If they are not square, not finite, negative, or if a row sums to another value
            than 1 (to more than 1, if ``sums_to_one`` is false); names layer and head.
    """
    require_tensor(attention, "attention", "[..., T, T]")
    _check_values(attention, layer)
    sums = attention.detach().sum(-1, dtype=torch.promote_types(attention.dtype, torch.float32))
    tolerance = 2e-2 if attention.dtype.itemsize < 4 else 1e-3
    is_wrong = (sums - 1 > tolerance) | (sums_to_one & (1 - sums > tolerance))
    if is_wrong.any():
        index = is_wrong.nonzero()[0].tolist()
        rule = "must sum to 1" if sums_to_one else "must sum to at most 1"
        raise InputError(
            f"{_place(index[:-1], layer)}: row {index[-1]} sums to {sums[tuple(index)]:.4f}; "
            f"a row of attention {rule}"
        )


def usable(attention: Float[Tensor, "*maps queries keys"]) -> Float[Tensor, "*maps queries keys"]:
    """Maps that a solver may be given, half precision as fp32.

    Raises:
        InputError: If they are not square, not finite or negative; names layer and head.
    """
    require_tensor(attention, "attention", "[..., T, T]")
    _check_values(attention, None)
    return attention.float() if attention.dtype.itemsize < 4 else attention


def require_tensor(given: object, name: str, shape: str) -> None:
    """Require a torch tensor of real numbers with two axes at least.

    Args:
        given: What was given.
        name: Name of the argument.
        shape: Expected shape, for the message.

    Raises:
        InputError: If it is something else, such as a NumPy array or whole numbers.
    """
    if not isinstance(given, Tensor):
        raise InputError(
            f"{name} is a {type(given).__name__}; must be a torch tensor {shape}; use "
            "torch.as_tensor"
        )
    if given.ndim < 2:
        raise InputError(f"{name} has shape {list(given.shape)}; must be {shape}")
    if not given.is_floating_point():
        raise InputError(f"{name} has type {given.dtype}; must be floating-point; use .float()")


def combined_heads(
    attention: Float[Tensor, "*layers heads tokens tokens"], heads: Heads | str
) -> Float[Tensor, "*maps tokens tokens"]:
    """One map per layer instead of one per head, as ``heads`` says; ``each`` changes nothing.

    Weights by off-diagonal mass are equal if no head attends to other tokens.
    """
    with refused_values():
        how = converted(heads, Heads, "heads")
    if how is Heads.each:
        return attention
    if how is Heads.mean:
        return attention.mean(-3)
    apart = attention.sum((-2, -1)) - attention.diagonal(dim1=-2, dim2=-1).sum(-1)
    total = apart.sum(-1, keepdim=True)
    share = torch.where(total > 0, apart / total.clamp(min=1e-30), 1 / attention.shape[-3])
    return torch.einsum("...h,...hij->...ij", share, attention)


def prefixes(
    attention: Float[Tensor, "*maps tokens tokens"], lengths: Sequence[int]
) -> Iterator[Float[Tensor, "*maps prefix prefix"]]:
    """The maps of a text's prefixes, each of the given lengths, from the map of the whole text.

    In a causal model the map of a prefix is the top left block of the whole map.

    Raises:
        InputError: If a length is not within the text.
    """
    for length in lengths:
        if not 1 <= length <= attention.shape[-1]:
            raise InputError(
                f"prefix length {length}; must be from 1 to {attention.shape[-1]}, that of the text"
            )
        yield attention[..., :length, :length]


def _check_values(attention: Tensor, layer: int | None) -> None:
    n_queries, n_keys = attention.shape[-2:]
    if n_queries != n_keys or n_keys == 0:
        place = "attention" if layer is None else f"layer {layer}"
        raise InputError(f"{place}: maps are {n_queries} x {n_keys}; must be square, T x T")
    low, high = attention.detach().aminmax()  # one pass, and NaN if any value is
    if low >= 0 and high < torch.inf:
        return
    finite = attention.isfinite().all(-1).all(-1)
    is_bad = ~finite if not finite.all() else (attention < 0).any(-1).any(-1)
    place = _place(is_bad.nonzero()[0].tolist(), layer)
    if not finite.all():
        raise InputError(f"{place}: attention is not finite; run the model in fp32 or bf16")
    raise InputError(f"{place}: attention is negative; give it after the softmax")


def _place(index: Sequence[int], layer: int | None) -> str:
    """The map's place among the leading axes, which are ``[text, layer, head]`` or fewer."""
    known = [] if layer is None else [f"layer {layer}"]
    names = ["text", "head"][-len(index) :] if known else ["layer", "head"][: len(index)]
    if len(index) == 3 and not known:
        names = ["text", "layer", "head"]
    if len(index) > len(names):
        names = [f"axis {i}" for i in range(len(index))]
    found = [f"{name} {i}" for name, i in zip(names, index, strict=False)]
    return ", ".join(known + found) or "attention"
