"""Constrained decoding: the model may only write facts in words of given documents."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from physlm.eval.generate import evaluating, padded_prompts
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel


@torch.inference_mode()
def grounded(
    model: LanguageModel,
    prompts: Sequence[np.ndarray],
    sources: Sequence[Sequence[np.ndarray]],
    *,
    between: np.ndarray,
    end: np.ndarray,
    sampling: Sampling,
) -> list[Int64[np.ndarray, " _new"]]:
    """Greedy continuations: first facts in words of the sources, then an answer.

    Until a row has written ``end``, it takes the likeliest token among those of its current source,
    of ``between`` and of ``end``. After ``between`` it continues with its next source, if any.

    Args:
        model: The model.
        prompts: Tokens up to the place of the facts.
        sources: Tokens of the documents of each row, in the order in which facts are taken.
        between: Tokens between the facts about two people.
        end: Tokens between the facts and the answer.
        sampling: Rows decoded at once, their length, and the token that ends an answer.

    Returns:
        New tokens of each row, without the one that ends its answer.
    """
    padded, lengths = padded_prompts(model, prompts, sampling)
    written: list[Int64[np.ndarray, " _new"]] = []
    with evaluating(model):
        for first in range(0, len(padded), sampling.batch_size):
            chosen = slice(first, first + sampling.batch_size)
            rows = [
                _Row(own, between, end, model.vocabulary_size, sampling.eos)
                for own in sources[chosen]
            ]
            _write(model, padded[chosen, : lengths[chosen].max()], lengths[chosen], rows, sampling)
            written += [np.array(row.written, dtype=np.int64) for row in rows]
    return written


class _Row:
    """What one row has written, and what it may write next.

    Args:
        sources: Tokens of its documents.
        between: Tokens between facts.
        end: Tokens after the facts.
        vocabulary_size: Number of tokens.
        eos: Ends the row.
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray],
        between: np.ndarray,
        end: np.ndarray,
        vocabulary_size: int,
        eos: int | None,
    ) -> None:
        self._between, self._end, self._eos = between.tolist(), end.tolist(), eos
        self._penalties = []
        for source in sources or [np.array([], dtype=np.int64)]:
            penalty = torch.full((vocabulary_size,), -torch.inf)
            penalty[np.concatenate([source, between, end]).astype(np.int64)] = 0.0
            self._penalties.append(penalty)
        self._nothing = torch.zeros(vocabulary_size)
        self._n_sources_used, self._has_facts = 0, False
        self.written: list[int] = []
        self.is_ended = False

    @property
    def penalty(self) -> Float[Tensor, " vocab"]:
        """Added to the scores of the next token: minus infinity for what may not be written."""
        if self._has_facts:
            return self._nothing
        return self._penalties[min(self._n_sources_used, len(self._penalties) - 1)]

    def take(self, token: int) -> None:
        """Append a token; an ended row ignores it."""
        if self.is_ended:
            return
        if token == self._eos:
            self.is_ended = True
            return
        self.written.append(token)
        if not self._has_facts:
            self._has_facts = self._wrote(self._end)
            self._n_sources_used += self._wrote(self._between)

    def _wrote(self, words: Sequence[int]) -> bool:
        return self.written[-len(words) :] == words


def _write(
    model: LanguageModel,
    prompts: Int64[np.ndarray, "batch seq"],
    lengths: Int64[np.ndarray, " batch"],
    rows: Sequence[_Row],
    sampling: Sampling,
) -> None:
    device, n_new = model.device, sampling.max_new_tokens
    tokens, ends = torch.from_numpy(prompts).to(device), torch.from_numpy(lengths).to(device)
    scores, state = model.prefill(tokens, ends, prompts.shape[1] + n_new - 1)
    for n_written in range(1, n_new + 1):
        penalties = torch.stack([row.penalty for row in rows]).to(device)
        chosen = (scores + penalties).argmax(dim=-1)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            row.take(token)
        if n_written == n_new or all(row.is_ended for row in rows):
            return
        scores = model.decode(chosen, state)
