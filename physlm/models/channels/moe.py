"""A mixture of experts in the place of a block's MLP: each token is sent to a few of them."""

import math
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.models.channels.mlp import gated_silu, gelu
from physlm.models.components import ExpertsShape, MlpKind
from physlm.models.context import Channel, Context
from physlm.models.parameters import Declaration, Start
from physlm.schema import converted

# N tokens, E experts, K experts of a token, C tokens that an expert takes, D width.

_EXPERT = Declaration(role="mlp", decays=True, start=Start.normal, is_expert=True)


class Experts(Channel):
    """MLPs without biases, and a router that sends each token to those it scores highest.

    What a token gets is what its experts make of it, weighted by the router's probabilities: the
    probability itself if there is one expert, else as shares of the chosen ones. If experts are
    full, the first choices of earlier tokens come first.

    Args:
        d_model: Width of the residual stream.
        d_hidden: Hidden width of all experts together, shared evenly.
        kind: Of the experts.
        shape: Of the mixture.

    Source:
        Fedus, Zoph and Shazeer (2021), Switch Transformers, section 2; Jiang et al. (2024), Mixtral
        of Experts, section 2.1. Physics of Language Models, Part 3.3, section 8: 32 experts of
        hidden width d, one of them active, capacity factor 2.
    """

    declares: ClassVar = {
        "router": Declaration(role="mlp"),
        "gate": _EXPERT,
        "up": _EXPERT,
        "down": replace(_EXPERT, is_residual=True),
    }

    def __init__(self, d_model: int, d_hidden: int, kind: MlpKind, shape: ExpertsShape) -> None:
        super().__init__()
        self.shape = shape
        d_expert = d_hidden // shape.n_experts
        self.router = nn.Linear(d_model, shape.n_experts, bias=False)
        inward, outward = (shape.n_experts, d_model, d_expert), (shape.n_experts, d_expert, d_model)
        kind = converted(kind, MlpKind, "kind")
        self.gate = nn.Parameter(torch.empty(inward)) if kind is MlpKind.gated_silu else None
        self.up = nn.Parameter(torch.empty(inward))
        self.down = nn.Parameter(torch.empty(outward))

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """Each token by its experts."""
        tokens = x.flatten(0, 1)
        probabilities = self.router(tokens).float().softmax(dim=-1)
        weights, chosen = probabilities.topk(self.shape.n_active, dim=-1)
        if self.shape.n_active > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        slots, capacity = self._slots(chosen)
        out = self._by_experts(tokens, slots, capacity, weights.to(tokens.dtype))
        if context.load_balancing is not None:
            context.load_balancing.append(self._load_balancing_loss(chosen, probabilities))
        return out.view_as(x)

    def _load_balancing_loss(
        self, chosen: Int[Tensor, "N K"], probabilities: Float[Tensor, "N E"]
    ) -> Float[Tensor, ""]:
        """How unevenly the router chooses: 1 if evenly.

        Source:
            Fedus, Zoph and Shazeer (2021), equation 4: E times the sum over experts of their share
            of the tokens times their mean probability.
        """
        shares = self._is_sent(chosen).float().mean(dim=(0, 1))
        return self.shape.n_experts * (shares * probabilities.mean(dim=0)).sum()

    def _slots(self, chosen: Int[Tensor, "N K"]) -> tuple[Int[Tensor, "N K"], int]:
        """Where each token stands in the queues of its experts, and how long queues are.

        Queues lie end to end, expert by expert; behind the last one go those for whom there is no
        room.
        """
        is_sent = self._is_sent(chosen.T.flatten())  # first choices first
        place = (is_sent.cumsum(dim=0) * is_sent).sum(dim=-1).view_as(chosen.T).T - 1
        capacity = self._capacity(is_sent)
        nowhere = self.shape.n_experts * capacity
        return torch.where(place < capacity, chosen * capacity + place, nowhere), capacity

    def _is_sent(self, chosen: Int[Tensor, "*any"]) -> Int[Tensor, "*any E"]:
        experts = torch.arange(self.shape.n_experts, device=chosen.device)
        return (chosen[..., None] == experts).long()

    def _capacity(self, is_sent: Int[Tensor, "NK E"]) -> int:
        """Tokens that an expert takes; all that come once training is over."""
        n_tokens = len(is_sent) // self.shape.n_active
        if not self.training and not torch.compiler.is_compiling():
            return int(is_sent.sum(dim=0).max())
        if not self.training:
            return n_tokens
        even = len(is_sent) / self.shape.n_experts
        return min(n_tokens, math.ceil(self.shape.capacity_factor * even))

    def _by_experts(
        self,
        tokens: Float[Tensor, "N D"],
        slots: Int[Tensor, "N K"],
        capacity: int,
        weights: Float[Tensor, "N K"],
    ) -> Float[Tensor, "N D"]:
        n_tokens, width = tokens.shape
        n_slots = self.shape.n_experts * capacity
        numbers = torch.arange(n_tokens, device=tokens.device)[:, None].expand_as(slots)
        # An empty slot holds the number of a token of zeros, which stands behind the last one.
        empty = torch.full((n_slots + 1,), n_tokens, device=tokens.device)
        held = empty.scatter(0, slots.flatten(), numbers.flatten())[:n_slots]
        queues = nn.functional.pad(tokens, (0, 0, 0, 1))[held].view(-1, capacity, width)
        up, down = self.up.to(tokens.dtype), self.down.to(tokens.dtype)
        if self.gate is None:
            hidden = gelu(queues @ up)
        else:
            hidden = gated_silu(queues @ self.gate.to(tokens.dtype), queues @ up)
        made = nn.functional.pad((hidden @ down).flatten(0, 1), (0, 0, 0, 1))
        return (made[slots] * weights[..., None]).sum(dim=1)
