"""Second derivatives: kernels that know only the first refuse them, or give way to exact ones.

Fast kernels compute the first derivatives with what they keep of the forward pass. Derivatives of
these are not implemented, or would take as constant what is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import CGradInterpreterPtr, TransformType, get_interpreter_stack
from torch.autograd import forward_ad

from physlm.errors import InputError

_open: list[object] = []  # one for each ``exact`` that was entered and not left


@contextmanager
def exact() -> Iterator[None]:
    """Models called within it have exact derivatives of every order, forwards and backwards.

    They are slower and take more memory, as every score of attention and of the vocabulary is kept.
    Nested transforms of ``torch.func`` need no such word.
    """
    _open.append(None)
    try:
        yield
    finally:
        _open.pop()


def is_exact() -> bool:
    """Whether kernels have to give way."""
    if len(_open) > 0 or _is_nested():
        return True
    return not torch.compiler.is_compiling() and forward_ad._current_level >= 0


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_nested() -> bool:
    """Whether transforms of ``torch.func`` go forwards, or are differentiated themselves.

    A compiler asks while it traces, since it enters the transforms meanwhile.
    """
    levels = get_interpreter_stack() or []
    backward = [level for level in levels if level.key() == TransformType.Grad]
    if any(level.key() == TransformType.Jvp for level in levels) or len(backward) > 1:
        return True
    return len(backward) == 1 and CGradInterpreterPtr(backward[0]).prevGradMode()


def first_only(out: Tensor, *inputs: Tensor) -> Tensor:
    """The output of a kernel, whose second derivatives in its inputs are refused when asked for."""
    if torch.compiler.is_compiling() or get_interpreter_stack():
        return out  # torch refuses by itself, or transforms were asked in `is_exact`
    node = out.grad_fn
    if node is not None:

        def refuse(
            gradients: tuple[Tensor | None, ...], _: Any
        ) -> tuple[Tensor | None, ...] | None:
            if not torch.is_grad_enabled():  # nobody will differentiate what comes out
                return None
            return tuple(None if d is None else _refusing(d, *inputs) for d in gradients)

        node.register_hook(refuse)
    return out


def _refusing(gradient: Tensor, *inputs: Tensor) -> Tensor:
    refusing: Tensor = _Refusing.apply(gradient, *inputs)  # type: ignore[no-untyped-call]
    return refusing


class _Refusing(torch.autograd.Function):
    """A gradient that depends on inputs in a way that is not known."""

    @staticmethod
    def forward(_: Any, gradient: Tensor, *__: Tensor) -> Tensor:
        """The gradient."""
        return gradient.view_as(gradient)

    @staticmethod
    def backward(*_: Any) -> None:
        """Refused.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "this model's kernels have no second derivatives; call it within "
            "`physlm.models.derivatives.exact()`, which computes them exactly"
        )
