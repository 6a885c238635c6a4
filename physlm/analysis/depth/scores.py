"""Scores of one state for several predictions: ranks, probabilities, entropies, without sorting."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 128  # tokens


class Workspace:
    """Memory that is reused for every state.

    On a CPU, fresh memory of this size costs as much time as the arithmetic in it.
    """

    def __init__(self) -> None:
        self._buffers: Tensor | None = None

    def like(self, logits: Float[Tensor, "n vocab"]) -> tuple[Tensor, ...]:
        """Three buffers of the shape of the scores, with arbitrary contents."""
        n = len(logits)
        if self._buffers is None or self._buffers.shape[1] < n:
            self._buffers = logits.new_empty(3, *logits.shape)
        return tuple(self._buffers[:, :n])


class Scores:
    """Scores of one state, valid until the workspace is used for others.

    Attributes:
        top1: Token with the highest score; the first of several.
        top1_probability: Its probability.
        entropy_nats: Entropy of the softmax.
    """

    def __init__(self, logits: Float[Tensor, "n vocab"], workspace: Workspace) -> None:
        self._logits = logits
        self._shifted, self._weights, self._scratch = workspace.like(logits)
        self.top1 = _argmax(logits)
        torch.sub(logits, _at(logits, self.top1), out=self._shifted)
        torch.exp(self._shifted, out=self._weights)
        self._total = self._weights.sum(dim=-1)
        self.top1_probability = 1 / self._total
        self.entropy_nats = self._total.log() - self._dot(self._weights) / self._total

    def probabilities(self) -> Float[Tensor, "n vocab"]:
        """The softmax of the scores, in memory of its own."""
        return self._weights / self._total[:, None]

    def cross_entropy(self, truth: Float[Tensor, "n vocab"]) -> Float[Tensor, " n"]:
        """Expected loss in nats on tokens drawn from given distributions."""
        return self._total.log() - self._dot(truth)

    def of(self, tokens: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Scores of several tokens for each prediction."""
        return self._logits.gather(1, tokens)

    def loss(self, tokens: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Loss in nats on given tokens."""
        return self._total.log() - _at(self._shifted, tokens)[:, 0]

    def rank(self, tokens: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """1 plus the number of tokens with a higher score than the given one."""
        # Rounding makes ties among the shifted scores. The comparison is written as floats, whose
        # sum is exact up to 2^24 and several times faster than that of booleans.
        torch.gt(self._logits, _at(self._logits, tokens), out=self._scratch)
        return 1 + self._scratch.sum(dim=-1).to(torch.int32)

    def top(self, k: int) -> tuple[Int[Tensor, "n k"], Float[Tensor, "n k"]]:
        """The ``k`` tokens with the highest scores, ``top1`` first, and their probabilities."""
        # Of equal scores, topk takes any: infinity makes it take the one that top1 names.
        self._scratch.copy_(self._logits).scatter_(1, self.top1[:, None], torch.inf)
        tokens = self._scratch.topk(k, dim=-1).indices
        return tokens, self._weights.gather(1, tokens) / self._total[:, None]

    def mass(self, is_member: Float[Tensor, "vocab groups"]) -> Float[Tensor, "n groups"]:
        """Probability of each group of tokens."""
        return self._weights @ is_member.to(self._weights) / self._total[:, None]

    def _dot(self, weights: Tensor) -> Tensor:
        return torch.mul(weights, self._shifted, out=self._scratch).sum(dim=-1)


def _argmax(scores: Float[Tensor, "n vocab"]) -> Int[Tensor, " n"]:
    """The first token with the highest score.

    PyTorch finds a maximum several times faster than its index, so the index is only searched
    within the block of tokens that has the maximum.
    """
    n_tokens = scores.shape[1]
    n_even = n_tokens - n_tokens % _BLOCK
    highest = scores[:, :n_even].reshape(len(scores), n_even // _BLOCK, _BLOCK).amax(dim=-1)
    if n_even < n_tokens:
        highest = torch.cat([highest, scores[:, n_even:].amax(dim=-1, keepdim=True)], dim=1)
    start = highest.argmax(dim=1, keepdim=True) * _BLOCK
    block = start + torch.arange(_BLOCK, device=scores.device)
    in_block = scores.gather(1, block.clamp(max=n_tokens - 1))
    first: Tensor = start[:, 0] + in_block.argmax(dim=1)
    return first


def _at(scores: Tensor, tokens: Tensor) -> Tensor:
    """Score of one token for each prediction; an arbitrary one where the token is -1."""
    return scores.gather(1, tokens.clamp(min=0)[:, None])
