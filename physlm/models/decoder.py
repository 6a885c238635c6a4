"""The decoder: predicts the next token, and generates token by token."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.attention_mask import AttentionMask
from physlm.models.context import Context
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy
from physlm.models.parameters import declarations
from physlm.models.position import Rotary
from physlm.models.state import DecodingState
from physlm.models.transformer import Transformer


class Decoder(Transformer):
    """Predicts each next token from the tokens before it."""

    config: DecoderConfig

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 marks positions without a target.

        In training, a mixture of experts adds, per target, the weighted load-balancing loss minus
        its minimum of 1, averaged over layers.
        """
        if self.config.experts is None or not self.training:
            return self._loss(self.hidden_states(tokens, segments), targets)
        load_balancing_loss: list[Tensor] = []
        context = replace(
            self.context(tokens.shape[1], segments), load_balancing=load_balancing_loss
        )
        loss = self._loss(self.norm(self.run(self.embed(tokens), context)), targets)
        n_targets = (targets != NO_TARGET).sum()
        return loss + self.config.load_balance * n_targets * (
            torch.stack(load_balancing_loss).mean() - 1
        )

    def n_active_parameters(self) -> int:
        """Parameters used for one token."""
        total, experts = sum(self.n_parameters().values()), self.config.experts
        if experts is None:
            return total
        parameters, declared = dict(self.named_parameters()), declarations(self)
        of_experts = sum(p.numel() for name, p in parameters.items() if declared[name].is_expert)
        return total - of_experts + of_experts * experts.n_active // experts.n_experts

    def prefill(
        self, prompts: Int[Tensor, "batch seq"], lengths: Int[Tensor, " batch"], n_positions: int
    ) -> tuple[Float[Tensor, "batch vocab"], DecodingState]:
        """Read whole prompts; see ``LanguageModel.prefill``."""
        if prompts.shape[1] > n_positions:
            raise InputError(
                f"prompts of {prompts.shape[1]} tokens exceed n_positions={n_positions}; "
                "n_positions counts the prompt's tokens too"
            )
        for module in self.modules():
            if isinstance(module, Rotary):
                module.reach(n_positions)
        empty = [block.new_state() for block in self.blocks]  # type: ignore[operator]
        state = DecodingState(
            empty, lengths, n_positions=n_positions, window=self.config.attention_window
        )
        context = replace(self.context(n_positions), decoding=state)
        rows = torch.arange(len(prompts), device=prompts.device)
        last = self.norm(self.run(self.embed(prompts), context))[rows, lengths - 1]
        return self.unembedding(last), state

    def decode(
        self, tokens: Int[Tensor, " batch"], state: DecodingState
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row."""
        place = state.place()
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions(place.positions)
        mask = AttentionMask(is_causal=True)
        context = Context(mask=mask, n_positions=state.n_positions, decoding=state, place=place)
        x = self.run(x[:, None], context)
        state.advance()
        logits: Tensor = self.unembedding(self.norm(x)[:, 0])
        return logits

    def _loss(
        self, hidden: Float[Tensor, "batch seq width"], targets: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, ""]:
        return linear_cross_entropy(hidden.flatten(0, 1), self.output_weight, targets.flatten())
