"""Text that a model writes: sampled or greedy, many rows at once."""

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
from physlm.eval.scorer import require_temperature
from physlm.models.compilation import CudaGraph, compiled
from physlm.models.language_model import LanguageModel
from physlm.models.state import DecodingState
from physlm.rng import stream

_Step = Callable[[Tensor, Tensor], Tensor]  # last tokens and random numbers to next tokens


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model wrote after each prompt, in the prompts' order.

    Attributes:
        tokens: New token ids of each row, without its prompt and without the ``eos`` that ended it.
        is_ended: Whether ``eos`` ended the row; the others were cut at ``max_new_tokens``.
    """

    tokens: list[Int64[np.ndarray, " _new"]]
    is_ended: Bool[np.ndarray, " rows"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How each next token is chosen, and when a row ends.

    Attributes:
        max_new_tokens: Tokens a row gets at most, its ``eos`` included.
        eos: The token that ends a row; None never ends one early.
        temperature: Divides the scores; at 0 the likeliest token is taken.
        top_k: Draw among so many likeliest tokens; None draws among all.
        batch_size: Rows that are read at once.
        is_compiled: Compile the step; on a GPU into a CUDA graph. It takes about half a minute to
            start, and again for every new number of rows or positions. Rows that ended are then
            read on until all have, since a graph has one shape.
    """

    max_new_tokens: int
    eos: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    batch_size: int = 512
    is_compiled: bool = False

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "batch_size", "top_k"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}={value}; must be at least 1")
        require_temperature(self.temperature)

    def draw(
        self, logits: Float[Tensor, "batch vocab"], uniform: Float[Tensor, " batch"]
    ) -> Int[Tensor, " batch"]:
        """One token per row, by inversion of the cumulative probabilities.

        It takes one uniform number per row, in (0, 1], where racing exponentials take one per
        token of the vocabulary. The token is the first whose cumulative probability reaches the
        number: never one of probability 0. Single precision bounds the error at about 1e-7.

        Source:
            Devroye (1986), Non-Uniform Random Variate Generation, section III.2.
        """
        if self.temperature == 0:
            return logits.argmax(dim=-1)
        scores, names = logits.float(), None
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            scores, names = scores.topk(self.top_k, dim=-1)
        if self.temperature != 1:
            scores = scores / self.temperature
        upto = scores.softmax(dim=-1).cumsum(dim=-1)
        chosen = torch.searchsorted(upto, uniform[:, None] * upto[:, -1:])
        return (chosen if names is None else names.gather(1, chosen))[:, 0]


@torch.inference_mode()
def generate(
    model: LanguageModel,
    prompts: Sequence[Sequence[int] | np.ndarray] | Int[Tensor, "rows seq"],
    sampling: Sampling,
    *,
    seed: int,
) -> Generated:
    """Let a model go on after each prompt.

    A row's random numbers follow from ``seed``, its place among the prompts and
    ``max_new_tokens``. They depend neither on ``batch_size`` nor on which other rows have ended.
    Scores depend on these in their last bits, since sums over batches of different sizes are
    rounded differently; that changes about one token in a million.

    Raises:
        InputError: If the model has no cache, a prompt is empty or names no token of the model,
            a row would outgrow the model's longest window, or the model's scores are not finite.
    """
    padded, lengths = _padded(model, prompts, sampling)
    shape = (len(padded), sampling.max_new_tokens)
    # In (0, 1]: at 0, a first token of probability 0 would be drawn.
    uniform = 1 - stream(seed, "sampling").random(shape, np.float32)
    written = np.empty(shape, dtype=np.int64)
    # Rows of one length need no mask, so they are read together.
    order = np.argsort(lengths, kind="stable")
    with _evaluating(model):
        for first in range(0, len(padded), sampling.batch_size):
            batch = order[first : first + sampling.batch_size]
            texts = padded[batch, : lengths[batch[-1]]]
            begun = _begin(model, texts, lengths[batch], uniform[batch], sampling=sampling)
            written[batch] = begun.finish(_step(model, begun))
    return _cut(written, sampling.eos)


@dataclass(slots=True)
class _Batch:
    """Rows that are read together; those that ended are dropped once they are half of them.

    Attributes:
        tokens: The last drawn, of each row still read.
        rows: Their places in ``written``.
        is_running: Which of them had not ended when last looked at.
        uniform: Their random numbers.
        written: All rows' tokens; a row that was dropped goes on as it ended.
    """

    sampling: Sampling
    state: DecodingState
    tokens: Int[Tensor, " kept"]
    rows: Int[Tensor, " kept"]
    is_running: Bool[Tensor, " kept"]
    uniform: Float[Tensor, "new kept"]
    written: Int[Tensor, "new batch"]

    def finish(self, step: _Step) -> Int64[np.ndarray, "batch new"]:
        """All tokens of all rows, with anything behind their ends."""
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
        # Asking a GPU which rows ended means waiting for it.
        return 16 if self.tokens.is_cuda else 4

    def _drop_ended(self, n_drawn: int) -> int:
        """How many rows still run."""
        assert self.sampling.eos is not None
        recent = self.written[n_drawn - self._n_between_checks : n_drawn, self.rows]
        self.is_running &= recent.ne(self.sampling.eos).all(dim=0)
        n_running = int(self.is_running.sum())
        # Each time halves the rows, so that all copying of caches costs less than two copies.
        if 0 < n_running <= len(self.rows) // 2 and not self.sampling.is_compiled:
            self._keep(self.is_running.nonzero()[:, 0])
        return n_running

    def _keep(self, kept: Int[Tensor, " kept"]) -> None:
        self.state.keep(kept)
        self.rows, self.is_running = self.rows[kept], self.is_running[kept]
        self.tokens, self.uniform = self.tokens[kept], self.uniform[:, kept]


def _begin(
    model: LanguageModel,
    prompts: Int64[np.ndarray, "batch seq"],
    lengths: Int64[np.ndarray, " batch"],
    uniform: Float[np.ndarray, "batch new"],
    *,
    sampling: Sampling,
) -> _Batch:
    """Read the prompts and draw the first tokens."""
    device = model.device
    texts, ends, numbers = (
        torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (prompts, lengths, uniform.T)
    )
    logits, state = model.prefill(texts, ends, texts.shape[1] + sampling.max_new_tokens - 1)
    if not logits.amax(dim=-1).isfinite().all():
        raise InputError("the model's scores are not finite; its training may have diverged")
    if sampling.is_compiled:
        state.fix_shapes()
    rows = torch.arange(len(texts), device=device)
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
    """From the last tokens of a batch to the next."""
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
    model: LanguageModel, sampling: Sampling, *_kind: object
) -> Callable[[Tensor, DecodingState, Tensor], Tensor]:
    """A compiled step for batches of one kind; the last few are kept, with their models."""
    return _Program(model, sampling).step


class _Program:
    def __init__(self, model: LanguageModel, sampling: Sampling) -> None:
        self.model = model
        self.sampling = sampling
        self.step = compiled(self._step)

    def _step(self, tokens: Tensor, state: DecodingState, uniform: Tensor) -> Tensor:
        return self.sampling.draw(self.model.decode(tokens, state), uniform)


@contextlib.contextmanager
def _evaluating(model: LanguageModel) -> Iterator[None]:
    """No dropout inside; afterwards every module trains again that did before."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _padded(
    model: LanguageModel,
    prompts: Sequence[Sequence[int] | np.ndarray] | Int[Tensor, "rows seq"],
    sampling: Sampling,
) -> tuple[Int64[np.ndarray, "rows seq"], Int64[np.ndarray, " rows"]]:
    """The prompts, filled up to the longest, and their lengths."""
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
            raise InputError(f"{name}: token {outside}; the model's tokens are 0 to {size - 1}")
    _check_window(model.longest_window, int(lengths.max()), sampling.max_new_tokens)
    return padded, lengths


def _check_window(longest_window: int | None, n_prompt: int, n_new: int) -> None:
    # The last new token is written but not read.
    if longest_window is not None and n_prompt + n_new - 1 > longest_window:
        raise InputError(
            f"a prompt of {n_prompt} tokens and max_new_tokens={n_new} exceed the "
            f"{longest_window} learned positions; shorten one or use model.position=rope"
        )


def _cut(written: Int64[np.ndarray, "rows new"], eos: int | None) -> Generated:
    """Rows up to their first ``eos``."""
    if eos is None:
        return Generated(list(written), np.zeros(len(written), dtype=np.bool_))
    is_eos = written == eos
    is_ended = is_eos.any(axis=1)
    lengths = np.where(is_ended, is_eos.argmax(axis=1), written.shape[1])
    return Generated([row[:n] for row, n in zip(written, lengths, strict=True)], is_ended)
