"""The Jacobian lens: mean Jacobians of last states with respect to each state as translators."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.graph import GradientEdge

from physlm.analysis.lenses.lens import Lens, exact_dtype, width_of
from physlm.analysis.lenses.lens_files import loaded, require_sound
from physlm.analysis.lenses.progress import reported
from physlm.analysis.lenses.state_pool import Windows
from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel

_AT_ONCE = 2**24  # numbers of the states of one forward pass


class JacobianLens(Lens):
    """Reads state k as J_k h: what h adds to the last states of its own and all later tokens.

    J_k is the mean, over prompts and positions p, of the sum over positions p' from p on of the
    derivative of state L at p' with respect to state k at p. It is not trained to predict anything.

    Args:
        model: The model whose states are read.
        jacobians: J_k by state k; states that are missing cannot be read.

    Raises:
        InputError: If a matrix has another width than the model, or belongs to a state that it
            lacks.

    Source:
        Gurnee, Sofroniew, Lindsey et al. (2026).
    """

    def __init__(
        self, model: LanguageModel, jacobians: Mapping[int, Float[Tensor, "width width"]]
    ) -> None:
        super().__init__(model)
        width = width_of(model)
        for state, matrix in jacobians.items():
            if matrix.shape != (width, width):
                raise InputError(
                    f"the lens has a matrix of shape {tuple(matrix.shape)} for state {state}, and "
                    f"the model has width {width}; fit a lens on this model"
                )
            if not 0 <= state < model.n_layers:
                raise InputError(
                    f"the lens has a matrix for state {state}, and the model's states before the "
                    f"last are 0 to {model.n_layers - 1}; fit a lens on this model"
                )
        self.jacobians = {
            k: matrix.detach().to(model.device, exact_dtype(matrix.dtype))
            for k, matrix in sorted(jacobians.items())
        }

    @property
    def states(self) -> list[int]:
        """Numbers of the states that it has a matrix for, and L; published files lack state 0."""
        return [*self.jacobians, self.n_layers]

    def translated(
        self, residual: Float[Tensor, "*any width"], state: int
    ) -> Float[Tensor, "*any width"]:
        """J_k h.

        Raises:
            InputError: If the lens has no matrix for this state.
        """
        if state not in self.jacobians:
            raise InputError(
                f"the lens has no matrix for state {state}; it has those of states "
                f"{', '.join(map(str, self.jacobians))}"
            )
        matrix = self.jacobians[state]
        exact = torch.promote_types(residual.dtype, matrix.dtype)
        return residual.to(exact) @ matrix.to(exact).T

    @classmethod
    def fit(
        cls,
        model: LanguageModel,
        tokens: Int[Tensor, "prompts seq"],
        *,
        is_visible: Bool[Tensor, "prompts seq"] | None = None,
        skip_first: int = 16,
    ) -> "JacobianLens":
        """Compute the Jacobians on prompts, with one backward pass per coordinate of state L.

        Args:
            model: The model; it stays as it is.
            tokens: Token ids, padded on the right; about 100 prompts of 128 tokens suffice.
            is_visible: False at padding; None if all tokens count.
            skip_first: Tokens at the start of each prompt that count neither as p nor as p'.

        Raises:
            InputError: If no token counts.
        """
        windows = Windows(tokens, is_visible)
        is_counted = windows.counted(skip_first)
        if not is_counted.any():
            raise InputError(
                f"no prompt has a visible token after the first skip_first={skip_first}; use "
                "longer prompts or a smaller skip_first"
            )
        per_pass = max(1, _AT_ONCE // ((model.n_layers + 1) * tokens.shape[1] * width_of(model)))
        with _differentiable(model):
            parts = [
                _summed_jacobians(model, part.to(model.device), counted.to(model.device))
                for part, counted in zip(
                    torch.split(tokens, per_pass), torch.split(is_counted, per_pass), strict=True
                )
            ]
        total: Tensor = sum(parts[1:], start=parts[0])
        return cls(model, dict(enumerate(total / is_counted.sum().to(total.device))))

    @classmethod
    def load(cls, path: Path, model: LanguageModel) -> "JacobianLens":
        """Read a published file, whose matrix of layer i is that of state i + 1.

        Raises:
            InputError: If the file is missing, is not a Jacobian lens, needs pickle, or has the
                shape of another model.
        """
        content = _read(path)
        return cls(model, {layer + 1: matrix for layer, matrix in content["J"].items()})

    def save(self, path: Path) -> None:
        """Write the file; state 0, which published files lack, is layer -1.

        Raises:
            OSError: If it cannot be written.
        """
        content = {
            "J": {k - 1: matrix.half().cpu() for k, matrix in self.jacobians.items()},
            "source_layers": [k - 1 for k in self.jacobians],
            "d_model": width_of(self.model),
        }
        with replacing(path) as temporary:
            torch.save(content, temporary)


def _summed_jacobians(
    model: LanguageModel, tokens: Tensor, is_counted: Tensor
) -> Float[Tensor, "states width width"]:
    """Sums over prompts and source positions, by states 0 to L - 1."""
    states = model.residuals(tokens)
    last = states[-1]
    rows = []
    for coordinate in reported(last.shape[-1], "Jacobian lens: coordinate"):
        # A later state does not depend on the tokens after it, so that the sum over all p' is the
        # sum over those from p on.
        cotangent = torch.zeros_like(last)
        cotangent[..., coordinate] = is_counted.to(last.dtype)
        gradients = torch.autograd.grad(last, _edges(states)[:-1], cotangent, retain_graph=True)
        rows.append(torch.stack([g[is_counted].double().sum(0) for g in gradients]))
    return torch.stack(rows, dim=1)


def _edges(states: Tensor) -> list[GradientEdge]:
    """Edges by which states enter their stack: the stack itself is not part of the graph."""
    stack = states.grad_fn
    assert stack is not None
    assert stack.name() == "StackBackward0"
    return [GradientEdge(node, number) for node, number in stack.next_functions if node is not None]


@contextmanager
def _differentiable(model: LanguageModel) -> Iterator[None]:
    """A context in which states have gradients even if the model is frozen."""
    was_training = model.training
    fixed = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    model.eval()
    for parameter in fixed:
        parameter.requires_grad = True
    try:
        with torch.enable_grad():
            yield
    finally:
        model.train(was_training)
        for parameter in fixed:
            parameter.requires_grad = False


def _read(path: Path) -> Any:
    try:
        require_sound(path)
        content = loaded(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the file of a Jacobian lens") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} needs pickle, which may run code when it is read; save tensors only"
        ) from error
    except InputError:
        raise
    except (AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); copy it again") from error
    matrices = content.get("J") if isinstance(content, dict) else None
    if not isinstance(matrices, dict) or not all(
        type(k) is int and isinstance(matrix, Tensor) for k, matrix in matrices.items()
    ):
        raise InputError(f"{path} has no matrices J by layer; give the file of a Jacobian lens")
    return content
