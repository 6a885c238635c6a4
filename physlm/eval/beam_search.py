"""Beam search, with drawn or with the most likely continuations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.eval.generate import Generated, evaluating, padded_prompts
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel
from physlm.models.state import DecodingState
from physlm.rng import stream_key

_N_BETWEEN_CHECKS = 8  # steps after which ended rows are looked for


@torch.inference_mode()
def beam_search(
    model: LanguageModel,
    prompts: Sequence[np.ndarray],
    sampling: Sampling,
    *,
    n_beams: int,
    seed: int,
) -> Generated:
    """The best of several continuations of each prompt, searched in parallel.

    Each prompt has ``n_beams`` texts. At every step ``2 * n_beams`` different continuations by one
    token are drawn among all of theirs, without replacement, with probabilities in proportion to
    those of the whole texts, to the power of 1 / temperature. Those that end are set aside; of the
    others the ``n_beams`` most likely ones go on. A prompt is done when ``n_beams`` of its texts
    have ended; the one of the highest mean log-probability of a token, its end included, is
    returned. If none has ended within ``max_new_tokens``, the most likely text is.

    At temperature 0 the most likely continuations are taken, as in plain beam search. Random
    numbers depend on the batch that a prompt is in.

    Args:
        model: Generates in evaluation mode.
        prompts: Token ids of each row.
        sampling: Temperature, maximum length, end and batch size.
        n_beams: Texts of each prompt.
        seed: Seed of the random numbers.

    Raises:
        InputError: As in `generate`; or if there is no ``eos``, or there is a top-k, or compiled
            steps are asked for.

    Source:
        Kool, van Hoof and Welling (2019), Stochastic Beams and Where to Find Them, for drawing
        without replacement; the selection is that of beam search with sampling in `transformers`.
    """
    if sampling.eos is None or sampling.top_k is not None or sampling.is_compiled:
        raise InputError("beam search needs sampling.eos, with top_k=None and is_compiled=False")
    if n_beams < 1:
        raise InputError(f"n_beams={n_beams}; must be at least 1")
    padded, lengths = padded_prompts(model, prompts, sampling)
    order = np.argsort(lengths, kind="stable")  # rows of one length need no padding mask
    tokens: list[np.ndarray] = [np.empty(0, np.int64)] * len(padded)
    is_ended = np.zeros(len(padded), dtype=np.bool_)
    with evaluating(model):
        for first in range(0, len(padded), sampling.batch_size):
            batch = order[first : first + sampling.batch_size]
            numbers = torch.Generator(model.device)
            numbers.manual_seed(stream_key(seed, "beams", first) >> 1)
            width = int(lengths[batch[-1]])
            beams = _Beams.begun(len(batch), n_beams, sampling, numbers)
            found = beams.search(model, padded[batch, :width], lengths[batch])
            for row, (text, ended) in zip(batch, found, strict=True):
                tokens[row], is_ended[row] = text, ended
    return Generated(tokens, is_ended)


# R rows that are still searched, N texts of each.
@dataclass(slots=True)
class _Beams:
    """The texts of a batch.

    Attributes:
        sampling: Temperature, maximum length and end.
        numbers: Draws the noise.
        rows: The prompt of each row that is still searched.
        scores: Log-probability of each text; minus infinity for none.
        written: The tokens of each text, filled up with the end.
        n_ended: Texts of each row that have ended.
        best: The mean log-probability of the best ended text of each prompt, its tokens, and their
            number; -1 if none has ended.
    """

    sampling: Sampling
    numbers: torch.Generator
    rows: Int[Tensor, " R"]
    scores: Float[Tensor, "R N"]
    written: Int[Tensor, "R N new"]
    n_ended: Int[Tensor, " R"]
    best: tuple[Float[Tensor, " prompts"], Int[Tensor, "prompts new"], Int[Tensor, " prompts"]]

    @classmethod
    def begun(
        cls, n_prompts: int, n_beams: int, sampling: Sampling, numbers: torch.Generator
    ) -> "_Beams":
        """One empty text for each prompt, and room for more."""
        device, n_new, eos = numbers.device, sampling.max_new_tokens, sampling.eos
        assert eos is not None
        scores = torch.full((n_prompts, n_beams), -torch.inf, device=device)
        scores[:, 0] = 0
        best = (
            torch.full((n_prompts,), -torch.inf, device=device),
            torch.full((n_prompts, n_new), eos, device=device),
            torch.full((n_prompts,), -1, device=device),
        )
        written = torch.full((n_prompts, n_beams, n_new), eos, device=device)
        rows = torch.arange(n_prompts, device=device)
        return cls(sampling, numbers, rows, scores, written, torch.zeros_like(rows), best)

    def search(
        self, model: LanguageModel, prompts: np.ndarray, lengths: np.ndarray
    ) -> list[tuple[np.ndarray, bool]]:
        """The tokens of the best text of each prompt, and whether it ended."""
        n_beams, n_new = self.scores.shape[1], self.sampling.max_new_tokens
        tokens, ends = (
            torch.from_numpy(np.ascontiguousarray(x)).to(model.device).repeat_interleave(n_beams, 0)
            for x in (prompts, lengths)
        )
        logits, state = model.prefill(tokens, ends, prompts.shape[1] + n_new - 1)
        if not logits.amax(dim=-1).isfinite().all():
            raise InputError("the model's logits are not finite; its training may have diverged")
        for n_written in range(n_new):
            last = self._extend(logits, n_written, state)
            is_time = n_written % _N_BETWEEN_CHECKS == _N_BETWEEN_CHECKS - 1
            if n_written == n_new - 1 or (is_time and not self._any_left(state)):
                break
            last = self.written[:, :, n_written].flatten() if is_time else last
            logits = model.decode(last, state)
        return self._found()

    def _extend(
        self, logits: Float[Tensor, "R_N vocab"], n_written: int, state: DecodingState
    ) -> Int[Tensor, " R_N"]:
        """Add a token to the texts that go on; returns these tokens."""
        n_rows, n_beams = self.scores.shape
        totals = self.scores[..., None] + logits.float().log_softmax(-1).view(n_rows, n_beams, -1)
        n_tokens = totals.shape[-1]
        drawn, chosen = self._drawn(totals.flatten(1))
        beams, tokens = chosen // n_tokens, chosen % n_tokens
        is_end = (tokens == self.sampling.eos) & drawn.isfinite()
        self._set_aside(drawn.where(is_end, -torch.inf) / (n_written + 1), beams, n_written)
        self.n_ended += is_end.sum(dim=1)
        self.scores, going = drawn.masked_fill(is_end, -torch.inf).topk(n_beams, dim=1)
        beams, tokens = beams.gather(1, going), tokens.gather(1, going)
        rows = torch.arange(n_rows, device=beams.device)[:, None]
        self.written = self.written[rows, beams]
        self.written[:, :, n_written] = tokens
        kept = (rows * n_beams + beams).flatten()
        # Keys and values of all texts are copied, which costs more than to ask.
        if not torch.equal(kept, torch.arange(len(kept), device=kept.device)):
            state.keep(kept)
        return tokens.flatten()

    def _drawn(
        self, totals: Float[Tensor, "R N_vocab"]
    ) -> tuple[Float[Tensor, "R drawn"], Int[Tensor, "R drawn"]]:
        """Different continuations of each row, and their log-probabilities."""
        n_drawn = min(2 * self.scores.shape[1], totals.shape[1])
        keys = totals
        if self.sampling.temperature > 0:
            # The largest of log-probabilities with Gumbel noise are draws without replacement.
            waiting = torch.empty_like(totals).exponential_(generator=self.numbers)
            keys = totals - self.sampling.temperature * waiting.log()
        chosen = keys.topk(n_drawn, dim=1).indices
        return totals.gather(1, chosen), chosen

    def _set_aside(
        self, means: Float[Tensor, "R drawn"], beams: Int[Tensor, "R drawn"], n_written: int
    ) -> None:
        """Remember the best text that ends, of rows that are not done."""
        values, texts, lengths = self.best
        found, place = means.max(dim=1)
        is_better = (found > values[self.rows]) & (self.n_ended < self.scores.shape[1])
        rows = self.rows[is_better]
        values[rows] = found[is_better]
        own = beams.gather(1, place[:, None])[:, 0]
        texts[rows] = self.written[torch.arange(len(own), device=own.device), own][is_better]
        lengths[rows] = n_written

    def _any_left(self, state: DecodingState) -> bool:
        """Whether a row is not done; the others are dropped if they are half of all."""
        n_beams = self.scores.shape[1]
        left = (self.n_ended < n_beams).nonzero()[:, 0]
        if 0 < len(left) <= len(self.rows) // 2:
            kept = left[:, None] * n_beams + torch.arange(n_beams, device=left.device)
            state.keep(kept.flatten())
            self.rows, self.scores = self.rows[left], self.scores[left]
            self.written, self.n_ended = self.written[left], self.n_ended[left]
        return len(left) > 0

    def _found(self) -> list[tuple[np.ndarray, bool]]:
        _, texts, lengths = self.best
        is_ended: Bool[Tensor, " prompts"] = lengths >= 0
        unended = self.written[:, 0].where(~is_ended[self.rows][:, None], texts[self.rows])
        texts[self.rows] = unended
        n_kept = lengths.where(is_ended, texts.shape[1])
        return [
            (text[:n], ended)
            for text, n, ended in zip(
                texts.cpu().numpy(), n_kept.tolist(), is_ended.tolist(), strict=True
            )
        ]
