"""Second derivatives: refused by kernels that have only the first, or computed exactly on request.

Fast kernels compute first derivatives from tensors saved in the forward pass. Differentiating these
again is not implemented, or would silently treat the saved tensors as constants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import CGradInterpreterPtr, TransformType, get_interpreter_stack
from torch.autograd import forward_ad

from physlm.errors import InputError

_open: list[object] = []  # one entry per active ``exact``


@contextmanager
def exact() -> Iterator[None]:
    """Context in which models have exact derivatives of every order, in both modes.

    Models are slower there and take more memory, since all attention scores and logits are kept.
    Nested transforms of ``torch.func`` are detected and need no such context.
    """
    _open.append(None)
    try:
        yield
    finally:
        _open.pop()


def is_exact() -> bool:
    """Whether kernels must use their exact path."""
    if len(_open) > 0 or _is_nested():
        return True
    # Forward-mode AD (dual numbers): custom backward kernels define no such derivative.
    return not torch.compiler.is_compiling() and forward_ad._current_level >= 0


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_nested() -> bool:
    """Whether transforms of ``torch.func`` are forward-mode, or are differentiated themselves.

    The compiler evaluates this while it traces, when the transforms are active, and keeps the
    answer as a constant of the program.
    """
    levels = get_interpreter_stack() or []
    backward = [level for level in levels if level.key() == TransformType.Grad]
    if any(level.key() == TransformType.Jvp for level in levels) or len(backward) > 1:
        return True
    # One transform is nested if autograd records outside of it and differentiates its result.
    return len(backward) == 1 and CGradInterpreterPtr(backward[0]).prevGradMode()


def first_only(out: Tensor, *inputs: Tensor) -> Tensor:
    """The output of a kernel, set up to refuse second derivatives with respect to its inputs."""
    if torch.compiler.is_compiling() or get_interpreter_stack():
        return out  # torch itself refuses in compiled code; transforms are seen by `is_exact`
    node = out.grad_fn
    if node is not None:

        def refuse(
            gradients: tuple[Tensor | None, ...], _: Any
        ) -> tuple[Tensor | None, ...] | None:
            if not torch.is_grad_enabled():  # an ordinary backward pass (create_graph=False)
                return None
            return tuple(None if d is None else _refusing(d, *inputs) for d in gradients)

        # A hook on the node sees the gradients that leave the kernel. Refusing right away would
        # also fail for create_graph=True without a second backward pass, which is legal.
        node.register_hook(refuse)
    return out


def _refusing(gradient: Tensor, *inputs: Tensor) -> Tensor:
    refusing: Tensor = _Refusing.apply(gradient, *inputs)  # type: ignore[no-untyped-call]
    return refusing


class _Refusing(torch.autograd.Function):
    """The identity on a gradient, connected to the kernel's inputs; its backward pass refuses."""

    @staticmethod
    def forward(_: Any, gradient: Tensor, *__: Tensor) -> Tensor:
        """The gradient, as a new tensor that autograd tracks."""
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
