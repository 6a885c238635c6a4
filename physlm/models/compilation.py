"""Compilation of repeated steps: fixed shapes, no guards, replayed as CUDA graphs on a GPU."""

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor

from physlm.models.compiler_cache import remove_unfinished

T = TypeVar("T")

_N_WARM = 3  # calls before recording; libraries choose kernels and allocate workspaces in them


def compiled(method: Callable[..., T]) -> Callable[..., T]:
    """A bound method compiled for one object, whose inputs always have the same shapes.

    Guards are left out: checking them at each call takes as long as a small model's forward pass.
    Torch caches compiled programs by code object, so the method gets a code object of its own;
    otherwise a second model would run the program of the first.
    """
    remove_unfinished()
    function: Any = method.__func__  # type: ignore[attr-defined]
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    bound = MethodType(own, method.__self__)  # type: ignore[attr-defined]
    options: dict[str, Any] = {
        "guard_filter_fn": lambda guards: [False] * len(guards),
        # The first option would defer the gradients of weights to the end of a whole step, the
        # second those of biases; their inputs would be kept in memory until then.
        "reorder_for_locality": False,
        "cpp.max_horizontal_fusion_size": 1,
    }
    program: Callable[..., T] = torch.compile(bound, dynamic=False, fullgraph=True, options=options)
    return program


class CudaGraph:
    """A function of tensors that works in place; recorded after a few calls, then replayed.

    A replay does not wait for Python between kernels. Every call must pass tensors of the same
    shapes and dtypes.

    Source:
        PyTorch's notes on CUDA semantics, section on CUDA graphs.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function
        self.n_calls = 0
        self.stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, ...] = ()
        self.output = torch.empty(0)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """A copy of the function's value, which the next replay does not overwrite."""
        self.n_calls += 1
        if self.n_calls <= _N_WARM:
            return self._aside(inputs)
        if self.graph is None:
            self._record(inputs)
        for kept, given in zip(self.inputs, inputs, strict=True):
            kept.copy_(given)
        assert self.graph is not None
        self.graph.replay()
        return self.output.clone()

    def _aside(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """An ordinary call on the side stream, as CUDA requires of warm-up before recording."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            value = self.function(*inputs)
        torch.cuda.current_stream().wait_stream(self.stream)
        return value

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        """Record the kernels; recording computes nothing."""
        self.inputs = tuple(given.clone() for given in inputs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.output = self.function(*self.inputs)
        self.graph = graph
