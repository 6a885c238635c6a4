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
from physlm.models.observer import AttentionObserver
from physlm.models.parameters import declarations
from physlm.models.penalty import PenaltyTerms
from physlm.models.position import Rotary
from physlm.models.state import BlockState, DecodingState
from physlm.models.transformer import Transformer


class Decoder(Transformer):
    """Predicts each next token from the tokens before it."""

    config: DecoderConfig

    def __init__(
        self, config: DecoderConfig, vocabulary_size: int, seq_len: int, seed: int
    ) -> None:
        super().__init__(config, vocabulary_size, seq_len, seed)
        self.penalty = None if config.penalty is None else config.penalty.build(seq_len, seed)

    @property
    def has_additive_loss(self) -> bool:
        """Not if a term is made of the whole batch: of its load on experts, or its attention."""
        return self.config.experts is None and self.penalty is None

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 marks positions without a target.

        In training, a mixture of experts adds, per target, the weighted load-balancing loss minus
        its minimum of 1, averaged over layers; a penalty adds its weighted mean over layers; the
        z-loss adds its weight times the squared log-partition function of each target's scores.
        """
        if not self.training or (self.config.experts is None and self.penalty is None):
            return self._loss(self.hidden_states(tokens, segments), targets)
        load_balancing: list[Tensor] = []
        penalties = None if self.penalty is None else PenaltyTerms(self.penalty)
        context = replace(
            self.context(tokens.shape[1], segments),
            load_balancing=load_balancing,
            observer=penalties,
        )
        loss = self._loss(self.norm(self.run(self.embed(tokens), context)), targets)
        n_targets = (targets != NO_TARGET).sum()
        if load_balancing:
            unevenness = torch.stack(load_balancing).mean() - 1
            loss = loss + self.config.load_balance * n_targets * unevenness
        if penalties is not None:
            loss = loss + n_targets * penalties.mean()
        return loss

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
        state = DecodingState(
            self.new_states(), lengths, n_positions=n_positions, window=self.config.attention_window
        )
        return self.unembedding(self.norm(self.read(prompts, state))), state

    def new_states(self) -> list[BlockState]:
        """An empty decoding state for each block."""
        return [block.new_state() for block in self.blocks]  # type: ignore[operator]

    def read(
        self, prompts: Int[Tensor, "batch seq"], state: DecodingState
    ) -> Float[Tensor, "batch width"]:
        """Read whole prompts with as many blocks as an empty decoding state has.

        Returns:
            The residual stream after these blocks, at the last token of each prompt.

        Raises:
            InputError: If the prompts are wider than the state's ``n_positions``.
        """
        if prompts.shape[1] > state.n_positions:
            raise InputError(
                f"prompts of {prompts.shape[1]} tokens exceed n_positions={state.n_positions}; "
                "raise it, as it counts the prompt's tokens too"
            )
        for module in self.modules():
            if isinstance(module, Rotary):
                module.reach(state.n_positions)
        context = replace(self.context(state.n_positions), decoding=state)
        x = self.run(self.embed(prompts), context, last=len(state.blocks))
        return x[torch.arange(len(prompts), device=prompts.device), state.positions - 1]

    def decode(
        self,
        tokens: Int[Tensor, " batch"],
        state: DecodingState,
        observer: AttentionObserver | None = None,
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row.

        Args:
            tokens: The next token of each row.
            state: Decoding state, to which the tokens are added.
            observer: Receives the attention weights of these tokens in every block.
        """
        x, context = self.next(tokens, state, observer)
        x = self.run(x, context)
        state.advance()
        logits: Tensor = self.unembedding(self.norm(x)[:, 0])
        return logits

    def next(
        self,
        tokens: Int[Tensor, " batch"],
        state: DecodingState,
        observer: AttentionObserver | None = None,
    ) -> tuple[Float[Tensor, "batch 1 width"], Context]:
        """State 0 of one more token per row, and the context in which blocks read it."""
        place = state.place()
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions(place.positions)
        mask = AttentionMask(is_causal=True)
        context = Context(
            mask=mask, n_positions=state.n_positions, decoding=state, place=place, observer=observer
        )
        return x[:, None], context

    def _loss(
        self, hidden: Float[Tensor, "batch seq width"], targets: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, ""]:
        z_loss = self.config.z_loss if self.training else 0.0
        return linear_cross_entropy(
            hidden.flatten(0, 1),
            self.output_weight,
            targets.flatten(),
            z_loss,
            self.config.z_loss_kind,
        )
