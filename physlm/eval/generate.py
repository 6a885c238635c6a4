"""Text generation: sampled or greedy continuations of many prompts at once."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from physlm.errors import InputError
from physlm.eval.sampling import Sampling
from physlm.models.compilation import CudaGraph, compiled
from physlm.models.language_model import LanguageModel
from physlm.models.state import DecodingState
from physlm.rng import stream

_Step = Callable[[Tensor, Tensor], Tensor]  # (last tokens, random numbers) -> next tokens


@dataclass(frozen=True, slots=True)
class Generated:
    """The continuation of each prompt, in the order of the prompts.

    Attributes:
        tokens: New token ids of each row, without its prompt and its final ``eos``.
        is_ended: Whether the row ended with ``eos``; the others were cut at ``max_new_tokens``.
    """

    tokens: list[Int64[np.ndarray, " _new"]]
    is_ended: Bool[np.ndarray, " rows"]


@torch.inference_mode()
def generate(
    model: LanguageModel,
    prompts: Sequence[Sequence[int] | np.ndarray] | Int[Tensor, "rows seq"],
    sampling: Sampling,
    *,
    seed: int,
) -> Generated:
    """Generate a continuation of each prompt.

    The random numbers of a row are a function of ``seed``, its position among the prompts and
    ``max_new_tokens``; they depend neither on ``batch_size`` nor on which other rows have ended.
    Logits depend on both in their last bits, since sums over batches of different sizes are
    rounded differently; this changes about one token in a million.

    Args:
        model: Generates in evaluation mode; its modules then return to the mode they were in.
        prompts: Token ids of each row, at least one.
        sampling: Temperature, top-k, maximum length, and batch size.
        seed: Seed of the random numbers.

    Raises:
        InputError: If the model has no decoding state, a prompt is empty or has a token outside the
            vocabulary, a row would exceed the longest window, or the logits are not finite.
    """
    padded, lengths = padded_prompts(model, prompts, sampling)
    shape = (len(padded), sampling.max_new_tokens)
    # In (0, 1]: the number 0 would draw the first token even if its probability is 0.
    uniform = 1 - stream(seed, "sampling").random(shape, np.float32)
    written = np.empty(shape, dtype=np.int64)
    # Sorted, so that rows of one length, which need no padding mask, share a batch.
    order = np.argsort(lengths, kind="stable")
    with evaluating(model):
        for first in range(0, len(padded), sampling.batch_size):
            batch = order[first : first + sampling.batch_size]
            tokens = padded[batch, : lengths[batch[-1]]]
            rows = _prefilled(model, tokens, lengths[batch], uniform[batch], sampling=sampling)
            written[batch] = rows.finish(_step(model, rows))
    return _cut(written, sampling.eos)


@dataclass(slots=True)
class _Batch:
    """Rows decoded together; ended rows are dropped once they are half of the batch.

    Attributes:
        sampling: How tokens are drawn.
        state: The decoding state of the rows that are still decoded.
        tokens: The last token of each of them.
        rows: Their indices in ``written``.
        is_running: Which of them had not ended at the last check.
        uniform: Their random numbers.
        written: The new tokens of all rows; a dropped row is filled up with ``eos``.
    """

    sampling: Sampling
    state: DecodingState
    tokens: Int[Tensor, " kept"]
    rows: Int[Tensor, " kept"]
    is_running: Bool[Tensor, " kept"]
    uniform: Float[Tensor, "new kept"]
    written: Int[Tensor, "new batch"]

    def finish(self, step: _Step) -> Int64[np.ndarray, "batch new"]:
        """The new tokens of all rows; what follows the first ``eos`` of a row is meaningless."""
        self.written[0] = self.tokens
        for n_drawn in range(1, self.sampling.max_new_tokens):
            if self._is_time_to_check(n_drawn) and not self._drop_ended(n_drawn):
                break
            self.tokens = step(self.tokens, self.uniform[n_drawn])
            self.written[n_drawn].index_copy_(0, self.rows, self.tokens)
        written: np.ndarray = self.written.T.cpu().numpy()
        return written

    def _is_time_to_check(self, n_drawn: int) -> bool:
        return self.sampling.eos is not None and n_drawn % self._n_between_checks == 0

    @property
    def _n_between_checks(self) -> int:
        # Each check waits for the GPU to finish, which leaves it idle.
        return 16 if self.tokens.is_cuda else 4

    def _drop_ended(self, n_drawn: int) -> int:
        """Drop ended rows where that pays; returns how many rows have not ended."""
        assert self.sampling.eos is not None
        recent = self.written[n_drawn - self._n_between_checks : n_drawn, self.rows]
        self.is_running &= recent.ne(self.sampling.eos).all(dim=0)
        n_running = int(self.is_running.sum())
        # Each drop halves the batch at least, so all copies of the state cost less than two.
        # A compiled step has one shape, hence keeps all rows.
        if 0 < n_running <= len(self.rows) // 2 and not self.sampling.is_compiled:
            self._keep(self.is_running.nonzero()[:, 0])
        return n_running

    def _keep(self, kept: Int[Tensor, " kept"]) -> None:
        self.state.keep(kept)
        self.rows, self.is_running = self.rows[kept], self.is_running[kept]
        self.tokens, self.uniform = self.tokens[kept], self.uniform[:, kept]


def _prefilled(
    model: LanguageModel,
    prompts: Int64[np.ndarray, "batch seq"],
    lengths: Int64[np.ndarray, " batch"],
    uniform: Float[np.ndarray, "batch new"],
    *,
    sampling: Sampling,
) -> _Batch:
    """A batch whose prompts are read and whose first tokens are drawn."""
    device = model.device
    tokens, ends, numbers = (
        torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (prompts, lengths, uniform.T)
    )
    logits, state = model.prefill(tokens, ends, tokens.shape[1] + sampling.max_new_tokens - 1)
    if not logits.amax(dim=-1).isfinite().all():
        raise InputError("the model's logits are not finite; its training may have diverged")
    if sampling.is_compiled:
        state.fix_shapes()
    rows = torch.arange(len(tokens), device=device)
    return _Batch(
        sampling,
        state,
        tokens=sampling.draw(logits, numbers[0]),
        rows=rows,
        is_running=torch.ones_like(rows, dtype=torch.bool),
        uniform=numbers,
        written=torch.full(numbers.shape, sampling.eos or 0, device=device),
    )


def _step(model: LanguageModel, batch: _Batch) -> _Step:
    """The function from the last tokens of a batch to the next ones."""
    state, sampling = batch.state, batch.sampling
    if not sampling.is_compiled:
        return lambda tokens, uniform: sampling.draw(model.decode(tokens, state), uniform)
    weight = next(model.parameters())
    program = _program(
        model,
        sampling,
        batch.written.shape,
        state.n_positions,
        weight.device,
        weight.dtype,
        torch.is_autocast_enabled(weight.device.type),
    )

    def step(tokens: Tensor, uniform: Tensor) -> Tensor:
        return program(tokens, state, uniform)

    return CudaGraph(step) if batch.tokens.is_cuda else step


@functools.lru_cache(maxsize=4)
def _program(
    model: LanguageModel, sampling: Sampling, *_shape: object
) -> Callable[[Tensor, DecodingState, Tensor], Tensor]:
    """The compiled step for batches of one shape; the last few are kept, with their models."""
    return _Program(model, sampling).step


class _Program:
    def __init__(self, model: LanguageModel, sampling: Sampling) -> None:
        self.model = model
        self.sampling = sampling
        self.step = compiled(self._step)

    def _step(self, tokens: Tensor, state: DecodingState, uniform: Tensor) -> Tensor:
        return self.sampling.draw(self.model.decode(tokens, state), uniform)


@contextlib.contextmanager
def evaluating(model: LanguageModel) -> Iterator[None]:
    """Evaluation mode inside; afterwards each module returns to the mode it was in."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def padded_prompts(
    model: LanguageModel,
    prompts: Sequence[Sequence[int] | np.ndarray] | Int[Tensor, "rows seq"],
    sampling: Sampling,
) -> tuple[Int64[np.ndarray, "rows seq"], Int64[np.ndarray, " rows"]]:
    """The prompts, padded to the longest, and their lengths.

    Raises:
        InputError: If a prompt is empty, a token is outside the vocabulary, or a row would exceed
            the longest window.
    """
    rows = prompts.tolist() if isinstance(prompts, Tensor) else prompts
    if not len(rows) or np.ndim(rows[0]) == 0:
        raise InputError("prompts must be a list of at least one list of tokens, as in [[1, 2]]")
    lengths = np.array([len(row) for row in rows])
    if not lengths.all():
        raise InputError(f"prompt {lengths.argmin()} is empty; start it with a token, such as eos")
    padded = np.zeros((len(rows), lengths.max()), dtype=np.int64)
    padded[np.arange(lengths.max()) < lengths[:, None]] = list(itertools.chain(*rows))
    size = model.vocabulary_size
    for name, ids in (("prompts", padded), ("eos", np.array(sampling.eos or 0))):
        if ids.min() < 0 or ids.max() >= size:
            outside = ids.min() if ids.min() < 0 else ids.max()
            raise InputError(f"{name}: token {outside}; must be from 0 to {size - 1}")
    _check_window(model.longest_window, int(lengths.max()), sampling.max_new_tokens)
    return padded, lengths


def _check_window(longest_window: int | None, n_prompt: int, n_new: int) -> None:
    # The last new token is never read by the model.
    if longest_window is not None and n_prompt + n_new - 1 > longest_window:
        raise InputError(
            f"a prompt of {n_prompt} tokens and max_new_tokens={n_new} exceed the "
            f"{longest_window} learned positions; shorten one or use model.position=rope"
        )


def _cut(written: Int64[np.ndarray, "rows new"], eos: int | None) -> Generated:
    """Each row up to its first ``eos``."""
    if eos is None:
        return Generated(list(written), np.zeros(len(written), dtype=np.bool_))
    is_eos = written == eos
    is_ended = is_eos.any(axis=1)
    lengths = np.where(is_ended, is_eos.argmax(axis=1), written.shape[1])
    return Generated([row[:n] for row, n in zip(written, lengths, strict=True)], is_ended)
