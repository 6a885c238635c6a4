"""Mixture of experts in place of a block's MLP: each token is routed to a few experts."""

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
    """MLPs without biases, and a router that sends each token to the experts it scores highest.

    A token's output is the sum of its experts' outputs, weighted by the router's probabilities: the
    probability itself with one active expert, otherwise normalised over the chosen ones. If an
    expert is full, first choices have priority over second ones, then earlier tokens over later.

    Args:
        d_model: Width of the residual stream.
        d_hidden: Hidden width of all experts together, split evenly.
        kind: Kind of the experts.
        shape: Sizes of the mixture.

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
        self.shape, self.kind = shape, converted(kind, MlpKind, "kind")
        d_expert = d_hidden // shape.n_experts
        self.router = nn.Linear(d_model, shape.n_experts, bias=False)
        inward, outward = (shape.n_experts, d_model, d_expert), (shape.n_experts, d_expert, d_model)
        is_gated = self.kind is MlpKind.gated_silu
        self.gate = nn.Parameter(torch.empty(inward)) if is_gated else None
        self.up = nn.Parameter(torch.empty(inward))
        self.down = nn.Parameter(torch.empty(outward))

    def forward(
        self, x: Float[Tensor, "batch seq width"], context: Context
    ) -> Float[Tensor, "batch seq width"]:
        """Output for each token, from its experts."""
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
        """Load-balancing loss of the router; its minimum, 1, is at balanced load.

        Source:
            Fedus, Zoph and Shazeer (2021), equation 4: E times the sum over experts of their
            fraction of the tokens times their mean probability.
        """
        fractions = self._is_sent(chosen).float().mean(dim=(0, 1))
        return self.shape.n_experts * (fractions * probabilities.mean(dim=0)).sum()

    def _slots(self, chosen: Int[Tensor, "N K"]) -> tuple[Int[Tensor, "N K"], int]:
        """Slot of each token in the queues of its experts, and the length of a queue.

        Queues are concatenated expert by expert; dropped tokens get the slot after the last queue.
        """
        is_sent = self._is_sent(chosen.T.flatten())  # first choices first
        # A running count per expert gives each token its place in the queue without sorting.
        place = (is_sent.cumsum(dim=0) * is_sent).sum(dim=-1).view_as(chosen.T).T - 1
        capacity = self._capacity(is_sent)
        dropped = self.shape.n_experts * capacity
        return torch.where(place < capacity, chosen * capacity + place, dropped), capacity

    def _is_sent(self, chosen: Int[Tensor, "*any"]) -> Int[Tensor, "*any E"]:
        experts = torch.arange(self.shape.n_experts, device=chosen.device)
        return (chosen[..., None] == experts).long()

    def _capacity(self, is_sent: Int[Tensor, "NK E"]) -> int:
        """Tokens that an expert accepts; all that are sent to it outside of training."""
        n_tokens = len(is_sent) // self.shape.n_active
        # The longest queue is data-dependent, which a compiled program of fixed shapes cannot have.
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
        # An empty slot holds the index of a padding token of zeros after the last one: queues are
        # then dense, and one batched product serves all experts.
        empty = torch.full((n_slots + 1,), n_tokens, device=tokens.device)
        held = empty.scatter(0, slots.flatten(), numbers.flatten())[:n_slots]
        queues = nn.functional.pad(tokens, (0, 0, 0, 1))[held].view(-1, capacity, width)
        up, down = self.up.to(tokens.dtype), self.down.to(tokens.dtype)
        if self.gate is None:
            activation = nn.functional.silu if self.kind is MlpKind.silu else gelu
            hidden = activation(queues @ up)
        else:
            hidden = gated_silu(queues @ self.gate.to(tokens.dtype), queues @ up)
        made = nn.functional.pad((hidden @ down).flatten(0, 1), (0, 0, 0, 1))
        return (made[slots] * weights[..., None]).sum(dim=1)
