"""Weighted graphs over tokens, made from attention maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.analysis.spectra.options import Diagonal, GraphOptions, LaplacianKind, Symmetrise
from physlm.errors import InputError

_CACHED = 2**19  # numbers of a matrix that is written and read again


@dataclass(frozen=True, slots=True)
class Graph:
    """Graphs whose nodes are tokens.

    Attributes:
        weights: W, or the map itself for operators that are not symmetric; 0 at padding.
        degrees: Sums of the rows of W.
        is_token: False at padding, which belongs to no component; None without padding.
    """

    weights: Float[Tensor, "*graphs tokens tokens"]
    degrees: Float[Tensor, "*graphs tokens"]
    is_token: Bool[Tensor, "*graphs tokens"] | None

    @property
    def n_tokens(self) -> Int[Tensor, "*graphs"]:
        """Nodes of each graph."""
        if self.is_token is not None:
            return self.is_token.sum(-1)
        return torch.full_like(self.degrees[..., 0], self.degrees.shape[-1], dtype=torch.long)

    @property
    def is_among_first(self) -> Bool[Tensor, "*graphs tokens"]:
        """True at the first ``n_tokens`` indices, where the sorted eigenvalues of tokens are."""
        index = torch.arange(self.degrees.shape[-1], device=self.degrees.device)
        return index < self.n_tokens[..., None]

    def parts(self) -> "Iterator[Graph]":
        """The graphs a few at a time, along the first axis, whose matrices fit into a cache."""
        if self.degrees.ndim == 1:
            yield self
            return
        size = max(1, _CACHED // max(1, self.weights[0].numel()))
        marks = None if self.is_token is None else torch.split(self.is_token, size)
        degrees = torch.split(self.degrees, size)
        for i, weights in enumerate(torch.split(self.weights, size)):
            yield Graph(weights, degrees[i], None if marks is None else marks[i])


def graph_of(
    attention: Float[Tensor, "*graphs tokens tokens"],
    options: GraphOptions,
    is_token: Bool[Tensor, "*#graphs tokens"] | None = None,
) -> Graph:
    """The graph of each map: symmetrised, clipped, with or without self loops.

    Args:
        attention: Usable maps (finite, square, not negative).
        options: What is done to them.
        is_token: False at padding, whose rows and columns are removed.

    Raises:
        InputError: If ``directed`` is used with a map that attends to later tokens.
    """
    if is_token is not None:
        is_token = is_token.expand(attention.shape[:-1])
        pairs = is_token[..., :, None] & is_token[..., None, :]
        attention = torch.where(pairs, attention, torch.zeros_like(attention))
    weights = _loops(_clipped(_symmetric(attention, options), options.clip), options)
    return Graph(weights, weights.sum(-1), is_token)


def _symmetric(attention: Tensor, options: GraphOptions) -> Tensor:
    """A new tensor, which may be changed."""
    if options.laplacian is LaplacianKind.directed:
        if not is_causal(attention):
            raise InputError(
                "laplacian=directed needs causal maps, and these attend to later tokens; use sym, "
                "comb or rw"
            )
        return attention.clone()
    if options.symmetrise is Symmetrise.mean:
        return (attention + attention.mT).mul_(0.5)
    if options.symmetrise is Symmetrise.max:
        return torch.maximum(attention, attention.mT)
    return attention.clone()


def is_causal(attention: Float[Tensor, "*graphs tokens tokens"]) -> bool:
    """Whether no token attends to a later one."""
    return not bool(attention.detach().triu(1).any())


def _clipped(weights: Tensor, least: float) -> Tensor:
    return torch.where(weights < least, torch.zeros_like(weights), weights) if least else weights


def _loops(weights: Tensor, options: GraphOptions) -> Tensor:
    """W with the diagonal that the options ask for, in place."""
    if options.diagonal is Diagonal.mixed:
        weights = weights.mul_(1 - options.diagonal_share)
        weights.diagonal(dim1=-2, dim2=-1).add_(options.diagonal_share)
    if options.diagonal is Diagonal.row_sums:
        weights.diagonal(dim1=-2, dim2=-1).zero_()
        weights.diagonal(dim1=-2, dim2=-1).add_(weights.sum(-1))
    if not options.self_loops:
        weights.diagonal(dim1=-2, dim2=-1).zero_()
    return weights
