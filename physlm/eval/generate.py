"""Text that a model writes: sampled or greedy, many rows at once."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from physlm.errors import InputError
from physlm.models.cache import Cache
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

_Step = Callable[[Tensor, Cache, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model wrote after each prompt, in the prompts' order.

    Attributes:
        tokens: New token ids of each row, without its prompt and without the ``eos`` that ended it.
        is_ended: Whether ``eos`` ended the row; the others were cut at ``max_new_tokens``.
    """

    tokens: list[Int64[np.ndarray, " new"]]
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
        is_compiled: Compile the step; on a GPU into a CUDA graph. It takes seconds to start, and
            again for every new number of rows or positions.
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
        if not 0 <= self.temperature < math.inf:
            raise InputError(
                f"temperature={self.temperature}; must be finite and not negative, 0 for greedy"
            )

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
    prompts: Sequence[Sequence[int]] | Int[Tensor, "rows seq"],
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
    rows = _checked(model, prompts, sampling)
    # In (0, 1]: at 0, a first token of probability 0 would be drawn.
    uniform = 1 - stream(seed, "sampling").random((len(rows), sampling.max_new_tokens), np.float32)
    written = np.empty(uniform.shape, dtype=np.int64)
    # Rows of one length need no mask, so they are read together.
    order = np.argsort([len(row) for row in rows], kind="stable")
    step = _step(model, sampling)
    with _evaluating(model):
        for first in range(0, len(rows), sampling.batch_size):
            batch = order[first : first + sampling.batch_size]
            going = _Batch(model, [rows[i] for i in batch], uniform[batch], sampling)
            written[batch] = going.run(step)
    return _cut(written, sampling.eos)


class _Batch:
    """Rows that are read together; those that ended are dropped once they are half of them."""

    def __init__(
        self,
        model: LanguageModel,
        prompts: list[np.ndarray],
        uniform: Float[np.ndarray, "batch new"],
        sampling: Sampling,
    ) -> None:
        self.sampling = sampling
        device = next(iter(model.parameters()), torch.empty(0)).device
        lengths = np.array([len(row) for row in prompts])
        padded = np.zeros((len(prompts), lengths.max()), dtype=np.int64)
        padded[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(prompts)
        self.logits, self.cache = model.prefill(
            torch.from_numpy(padded).to(device),
            torch.from_numpy(lengths).to(device),
            int(lengths.max()) + sampling.max_new_tokens - 1,
        )
        self.uniform = torch.from_numpy(np.ascontiguousarray(uniform.T)).to(device)
        # A row that was dropped goes on as it ended.
        self.written = torch.full(self.uniform.shape, sampling.eos or 0, device=device)
        self.rows = torch.arange(len(prompts), device=device)
        self.is_running = torch.ones_like(self.rows, dtype=torch.bool)
        # Asking a GPU which rows ended means waiting for it.
        self.n_between_checks = 4 if device.type == "cpu" else 16

    def run(self, step: _Step) -> Int64[np.ndarray, "batch new"]:
        """All tokens of all rows, with anything behind their ends."""
        if not self.logits.amax(dim=-1).isfinite().all():
            raise InputError("the model's scores are not finite; its training may have diverged")
        if self.sampling.is_compiled:
            self.cache.fix_shapes()
        self.tokens = self.sampling.draw(self.logits, self.uniform[0])
        self.written[0] = self.tokens
        for n_drawn in range(1, self.sampling.max_new_tokens):
            if self._is_time_to_check(n_drawn) and not self._drop_ended(n_drawn):
                break
            self.tokens = step(self.tokens, self.cache, self.uniform[n_drawn])
            self.written[n_drawn].index_copy_(0, self.rows, self.tokens)
        return self.written.T.cpu().numpy()

    def _is_time_to_check(self, n_drawn: int) -> bool:
        return self.sampling.eos is not None and n_drawn % self.n_between_checks == 0

    def _drop_ended(self, n_drawn: int) -> int:
        """How many rows still run."""
        recent = self.written[n_drawn - self.n_between_checks : n_drawn, self.rows]
        self.is_running &= (recent != self.sampling.eos).all(dim=0)
        n_running = int(self.is_running.sum())
        # Each time halves the rows, so that all copying of caches costs less than two copies.
        if 0 < n_running <= len(self.rows) // 2 and not self.sampling.is_compiled:
            self._keep(self.is_running.nonzero()[:, 0])
        return n_running

    def _keep(self, kept: Int[Tensor, " kept"]) -> None:
        self.cache.keep(kept)
        self.rows, self.is_running = self.rows[kept], self.is_running[kept]
        self.tokens, self.uniform = self.tokens[kept], self.uniform[:, kept]


def _step(model: LanguageModel, sampling: Sampling) -> _Step:
    """From the last tokens to the next; compiled, it leaves its result where no graph writes."""

    def step(tokens: Tensor, cache: Cache, uniform: Tensor) -> Tensor:
        return sampling.draw(model.decode(tokens, cache), uniform)

    if not sampling.is_compiled:
        return step
    is_cuda = any(p.is_cuda for p in model.parameters())
    compiled = torch.compile(
        step, mode="reduce-overhead" if is_cuda else "default", dynamic=False, fullgraph=True
    )

    def replay(tokens: Tensor, cache: Cache, uniform: Tensor) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        return compiled(tokens, cache, uniform).clone()

    return replay


@contextlib.contextmanager
def _evaluating(model: LanguageModel) -> Iterator[None]:
    """No dropout inside; afterwards every module trains again that did before."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _checked(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]] | Int[Tensor, "rows seq"],
    sampling: Sampling,
) -> list[np.ndarray]:
    """The prompts as arrays, each of which the model can read and go on from."""
    given = prompts.cpu().numpy() if isinstance(prompts, Tensor) else prompts
    rows = [np.asarray(row, dtype=np.int64) for row in given]
    if not rows:
        raise InputError("no prompts; give at least one")
    size = model.vocabulary_size
    if sampling.eos is not None and not 0 <= sampling.eos < size:
        raise InputError(f"eos={sampling.eos}; the model's tokens are 0 to {size - 1}")
    for i, row in enumerate(rows):
        if not len(row):
            raise InputError(f"prompt {i} is empty; start it with a token, for example eos")
        if row.min() < 0 or row.max() >= size:
            outside = row.max() if row.max() >= size else row.min()
            raise InputError(f"prompt {i} has token {outside}; the model's are 0 to {size - 1}")
    _check_window(model.longest_window, max(len(row) for row in rows), sampling.max_new_tokens)
    return rows


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
