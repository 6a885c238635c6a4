"""The parts of a causal model of `transformers`, found by behaviour and not by class.

The model reads a few tokens while hooks record every module. Its blocks are the modules that run
one after the other, each on exactly the output of the one before. Its final norm is the module
that maps the last state to the input of the output head. The transform of the head's scores (scale,
soft cap) is found by replacing these with known numbers.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.pretrained_weights import quiet

_N_TOKENS = 8  # read to find the parts
_RAMP = 200.0  # scores from -200 to 200 reveal the transform of the head's output


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a model between its embedding and its scores.

    Attributes:
        blocks: The blocks, in the order in which they run.
        norm: Final norm; None if the head reads the last state itself.
        head: Output head, from normed states to scores, with its bias if it has one.
        scale: Factor of the scores.
        soft_cap: Cap of the scores z, which become cap x tanh(z / cap); None for no cap.
    """

    blocks: Sequence[nn.Module]
    norm: nn.Module | None
    head: nn.Linear
    scale: float
    soft_cap: float | None

    def normed(self, residual: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
        """Input of the output head."""
        if self.norm is None:
            return residual
        normed: Tensor = self.norm(residual.to(self.head.weight.dtype))
        return normed

    def scores(self, normed: Float[Tensor, "*any width"]) -> Float[Tensor, "*any vocab"]:
        """Next-token scores, in fp32 at least."""
        exact = torch.promote_types(normed.dtype, torch.float32)
        bias = None if self.head.bias is None else self.head.bias.to(exact)
        scores = nn.functional.linear(normed.to(exact), self.head.weight.to(exact), bias)
        return _transformed(scores, self.scale, self.soft_cap)

    @torch.no_grad()
    def patterns(
        self, model: Any, tokens: Int[Tensor, "batch seq"], layers: Sequence[int]
    ) -> dict[int, Float[Tensor, "batch heads seq seq"]]:
        """Attention weights of chosen blocks, by number.

        Raises:
            InputError: If a block returns none.
        """
        found: dict[int, Tensor] = {}
        with ExitStack() as stack, _eager(model):
            for number in set(layers):
                watch = _pattern_hook(found, number, tokens.shape[1])
                for module in self.blocks[number].modules():
                    stack.enter_context(module.register_forward_hook(watch))
            model(tokens)
        if missing := [number for number in layers if number not in found]:
            raise InputError(
                f"{type(model).__name__}: block {missing[0]} returns no attention weights, so they "
                "cannot be shown"
            )
        return found


def parts_of(model: Any) -> Parts:
    """The parts of a causal model.

    Raises:
        InputError: If they cannot be found, or do not give the model's scores.
    """
    tokens = torch.arange(1, 1 + _N_TOKENS, device=model.device)[None]
    tokens = tokens % model.get_input_embeddings().num_embeddings
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise _unknown(model, "its output head is not a linear layer")
    with torch.no_grad():
        blocks = _blocks(model, tokens)
        norm = _norm(model, blocks, head, tokens)
        parts = Parts(blocks, norm, head, *_transform(model, head, tokens))
        _require_readout(model, parts, tokens)
    return parts


def stream_of(
    model: Any,
    blocks: Sequence[nn.Module],
    tokens: Int[Tensor, "batch seq"],
    states: Sequence[int],
    *,
    given: Mapping[int, Float[Tensor, "batch seq width"]] | None = None,
) -> dict[int, Float[Tensor, "batch seq width"]]:
    """The residual stream at chosen states, from one pass in which states may be replaced.

    Args:
        model: Model of `transformers`.
        blocks: Its blocks.
        tokens: Tokens that the model reads.
        states: Numbers of blocks applied, up to all of them.
        given: Replacements of states, by number.
    """
    found: dict[int, Tensor] = {}
    given = given or {}
    with ExitStack() as stack:
        for k, block in enumerate(blocks):
            if k in states or k in given:
                hook = _before(found, k, given.get(k))
                stack.enter_context(block.register_forward_pre_hook(hook, with_kwargs=True))
        if len(blocks) in states:
            hook_last = _after(found, len(blocks))
            stack.enter_context(blocks[-1].register_forward_hook(hook_last))
        model(tokens, use_cache=False)
    return found


def _before(found: dict[int, Tensor], k: int, given: Tensor | None) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        state = args[0] if args else kwargs["hidden_states"]
        if given is not None:
            state = given.to(state.dtype)
        found[k] = state
        return ((state, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": state})

    return hook


def _after(found: dict[int, Tensor], k: int) -> Callable[..., None]:
    def hook(_: nn.Module, __: tuple[Any, ...], out: Any) -> None:
        found[k] = _first(out)

    return hook


def _first(out: Any) -> Any:
    """The state in a block's output, which is the state or a tuple that begins with it."""
    return out[0] if isinstance(out, tuple) and out else out


def _blocks(model: Any, tokens: Tensor) -> list[nn.Module]:
    """The module list with one module per layer that runs as one residual stream."""
    n_layers = model.config.get_text_config().num_hidden_layers
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == n_layers]
    for blocks in map(list, lists):
        seen: list[tuple[int, Any, Any]] = []
        with ExitStack() as stack:
            for k, block in enumerate(blocks):
                watch = _watch_into(seen, k)
                stack.enter_context(block.register_forward_hook(watch, with_kwargs=True))
            model(tokens, use_cache=False)
        if _is_stream(seen, n_layers):
            return blocks
    raise _unknown(model, f"no {n_layers} modules run each on the output of the one before")


def _watch_into(seen: list[tuple[int, Any, Any]], k: int) -> Callable[..., None]:
    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        seen.append((k, args[0] if args else kwargs.get("hidden_states"), _first(out)))

    return hook


def _is_stream(seen: Sequence[tuple[int, Any, Any]], n_layers: int) -> bool:
    """Whether all ran once and in order, each on exactly the output of the one before."""
    if [k for k, _, _ in seen] != list(range(n_layers)):
        return False
    return all(_is_same(before[2], after[1]) for before, after in itertools.pairwise(seen))


def _is_same(one: Any, other: Any) -> bool:
    return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)


def _norm(
    model: Any, blocks: Sequence[nn.Module], head: nn.Module, tokens: Tensor
) -> nn.Module | None:
    """The module that maps the last state to the input of the head."""
    seen: list[tuple[nn.Module, Any, Any]] = []
    read: list[Tensor] = []

    def watch(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        seen.append((module, args[0] if args else None, out))

    with ExitStack() as stack:
        for module in model.modules():
            if module is not head:
                stack.enter_context(module.register_forward_hook(watch))
        keep = head.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        stack.enter_context(keep)
        model(tokens, use_cache=False)
    numbers = [i for i, (module, _, _) in enumerate(seen) if module is blocks[-1]]
    last = _first(seen[numbers[-1]][2])
    if _is_same(last, read[0]):
        return None
    for module, given, out in seen[numbers[-1] + 1 :]:
        if _is_same(given, last) and _is_same(out, read[0]):
            return module
    raise _unknown(model, "no module maps the last state to the input of its output head")


def _transform(model: Any, head: nn.Module, tokens: Tensor) -> tuple[float, float | None]:
    """Transform of the head's scores: scale and soft cap."""
    ramp: list[Tensor] = []

    def replace(_: nn.Module, __: tuple[Any, ...], out: Tensor) -> Tensor:
        values = torch.linspace(-_RAMP, _RAMP, out.shape[-1], dtype=torch.float32)
        ramp.append(values.to(out.device).to(out.dtype).expand_as(out))
        return ramp[0]

    with head.register_forward_hook(replace):
        shown = model(tokens, use_cache=False).logits.float()
    given = ramp[0].float()
    largest = float(shown[..., -1].flatten()[0])
    candidates: list[tuple[float, float | None]] = [(largest / _RAMP, None)]
    if 0 < largest < _RAMP:
        candidates.append((1.0, _soft_cap(largest)))
    for scale, soft_cap in candidates:
        if torch.allclose(shown, _transformed(given, scale, soft_cap), rtol=2e-2, atol=1e-4):
            return scale, soft_cap
    raise _unknown(model, "the transform of its scores is neither a factor nor a soft cap")


def _soft_cap(largest: float) -> float:
    """The cap at which the end of the ramp becomes ``largest``, by bisection."""
    low, high = largest, largest * _RAMP
    for _ in range(100):
        middle = (low + high) / 2
        is_below = middle * math.tanh(_RAMP / middle) < largest
        low, high = (middle, high) if is_below else (low, middle)
    return high


def _transformed(scores: Tensor, scale: float, soft_cap: float | None) -> Tensor:
    scaled = scores if scale == 1 else scores * scale
    return scaled if soft_cap is None else soft_cap * torch.tanh(scaled / soft_cap)


def _require_readout(model: Any, parts: Parts, tokens: Tensor) -> None:
    """Verify that norm and head of the last state give the model's scores."""
    found: dict[int, Tensor] = {}
    with parts.blocks[-1].register_forward_hook(_after(found, 0)):
        logits = model(tokens, use_cache=False).logits.float()
    ours = parts.scores(parts.normed(found[0])).float()
    is_half = parts.head.weight.dtype in (torch.bfloat16, torch.float16)
    if not torch.allclose(
        ours, logits, rtol=0.02 if is_half else 1e-4, atol=0.1 if is_half else 1e-4
    ):
        raise _unknown(model, "norm and output head do not give its scores from the last state")


def _pattern_hook(found: dict[int, Tensor], number: int, seq_len: int) -> Callable[..., None]:
    """A hook that keeps the first output that is an attention map."""

    def hook(_: nn.Module, __: tuple[Any, ...], out: Any) -> None:
        for part in out if isinstance(out, tuple) else ():
            if number not in found and _is_map(part, seq_len):
                found[number] = part.float()

    return hook


def _is_map(part: Any, seq_len: int) -> bool:
    """Whether rows are distributions over earlier tokens; a sink may have a part of each."""
    if not isinstance(part, Tensor) or part.dim() != 4 or part.shape[2:] != (seq_len, seq_len):
        return False
    sums = part.float().sum(dim=-1)
    is_distribution = (part >= 0).all() and ((sums > 0) & (sums < 1.02)).all()
    return bool(is_distribution and not part.triu(1).any())


@contextmanager
def _eager(model: Any) -> Iterator[None]:
    """Use the eager attention implementation, the only one that returns its weights."""
    before = model.config._attn_implementation
    with quiet():
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        with quiet():
            model.set_attn_implementation(before)


def _unknown(model: Any, reason: str) -> InputError:
    return InputError(f"{type(model).__name__}: {reason}; its states cannot be shown")
