"""Which tokens of a text are nodes of its graph: padding, spans, the first tokens."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.errors import InputError

_LEAST = 2  # tokens of a graph that has a second eigenvalue


@dataclass(frozen=True, slots=True)
class GraphTokens:
    """The nodes: a block of the map without padding, a mask in padded batches.

    Attributes:
        is_token: False at padding.
        is_node: Tokens in the graph.
        is_padded: Whether texts of one batch may differ.
    """

    is_token: Bool[Tensor, "*rows tokens"]
    is_node: Bool[Tensor, "*rows tokens"]
    is_padded: bool

    @property
    def mask(self) -> Bool[Tensor, "*rows tokens"] | None:
        """The nodes of each graph among those of its block; None if all are."""
        return self.is_node if self.is_padded else None

    def without_padding(
        self, attention: Float[Tensor, "*maps tokens tokens"]
    ) -> Float[Tensor, "*maps tokens tokens"]:
        """The maps, 0 in rows and columns of padding."""
        if not self.is_padded:
            return attention
        pairs = self.is_token[..., :, None] & self.is_token[..., None, :]
        # where, not a product: the row of a padded query may hold NaN
        return torch.where(pairs, attention, torch.zeros_like(attention))

    def block(
        self, attention: Float[Tensor, "*maps tokens tokens"]
    ) -> Float[Tensor, "*maps nodes nodes"]:
        """The map among the nodes, from which degrees are taken."""
        return attention if self.is_padded else attention[..., self._range, self._range]

    def rows(
        self, residual: Float[Tensor, "*texts tokens width"]
    ) -> Float[Tensor, "*texts nodes width"]:
        """The states of the nodes."""
        return residual if self.is_padded else residual[..., self._range, :]

    @property
    def _range(self) -> slice:
        nodes = self.is_node.nonzero()[:, 0]
        return slice(int(nodes[0]), int(nodes[-1]) + 1)


def graph_tokens(
    size: int,
    is_token: Bool[Tensor, "*rows tokens"] | None = None,
    *,
    span: tuple[int, int] | None = None,
    drop_first: int = 0,
    device: torch.device | None = None,
) -> GraphTokens:
    """The tokens of the span, without the text's first ones.

    Args:
        size: Tokens of the maps, with padding.
        is_token: False at padding, on either side; None without padding.
        span: First token of the text, and the one after the last; None for all.
        drop_first: How many tokens at the beginning of the text are left out.
        device: Device of the maps.

    Raises:
        InputError: If the span is not within every text, or if fewer than two tokens are left.
    """
    given = torch.ones(size, dtype=torch.bool, device=device) if is_token is None else is_token
    if given.shape[-1] != size:
        raise InputError(
            f"is_token has {given.shape[-1]} tokens, the maps have {size}; they must agree"
        )
    if given.dtype != torch.bool:
        raise InputError(f"is_token has type {given.dtype}; must be torch.bool, True at tokens")
    shortest = int(given.sum(-1).min())
    if span is not None and not (len(span) == 2 and all(isinstance(end, int) for end in span)):
        raise InputError(f"span={span}; must be two whole numbers, (first, last + 1)")
    start, stop = (0, size) if span is None else span
    if span is not None and not 0 <= start < stop <= shortest:
        raise InputError(
            f"span=({start}, {stop}) in a text of {shortest} tokens; "
            "must be (first, last + 1) within the text"
        )
    if drop_first < 0:
        raise InputError(f"drop_first={drop_first}; must be 0 or more")
    index = given.cumsum(-1) - 1  # of each token in its text
    is_node = given & (index >= max(start, drop_first)) & (index < stop)
    if (n := int(is_node.sum(-1).min())) < _LEAST:
        raise InputError(
            f"a graph of {n} token{'s' * (n != 1)} (text of {shortest}, span={span}, "
            f"drop_first={drop_first}); a second eigenvalue needs at least two"
        )
    return GraphTokens(given, is_node, is_token is not None)
