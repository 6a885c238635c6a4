"""The decoder: GPT-2, Llama and Mistral styles from one configuration."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.identity import LATER
from physlm.models.architecture import TransformerConfig
from physlm.models.attention import AttentionShape
from physlm.models.block import Block
from physlm.models.cache import Cache
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy
from physlm.models.experts import ExpertsShape
from physlm.models.mlp import MlpKind
from physlm.models.parameters import declarations
from physlm.models.position import Rotary
from physlm.models.sight import attention_mask
from physlm.models.transformer import Transformer
from physlm.registry import register


@register("model", "decoder")
@dataclass(kw_only=True, slots=True)
class DecoderConfig(TransformerConfig):
    """A pre-norm decoder; the defaults are the papers' GPT-2 with rotary positions.

    Source:
        Physics of Language Models, Part 3.3, section 2.2 (GPT2-L-H: L layers, H heads of 64).
    """

    n_kv_heads: int | None = None  # None: as many as n_heads
    sliding_window: int | None = None  # tokens a token may look back on, itself included
    # Above 1, each MLP is a mixture of so many experts, whose hidden units are d_hidden together.
    n_experts: int = field(default=1, metadata=LATER)
    n_active_experts: int = field(default=1, metadata=LATER)  # of a token
    expert_capacity: float = field(default=2.0, metadata=LATER)  # times an even share, in training
    load_balance: float = field(default=0.01, metadata=LATER)  # weight of the routers' unevenness

    @property
    def is_causal(self) -> bool:
        """No token sees those after it."""
        return True

    @property
    def attention_shape(self) -> AttentionShape:
        """Sizes of each attention layer."""
        return AttentionShape(self.d_model, self.n_heads, self.n_kv_heads or self.n_heads)

    @property
    def experts(self) -> ExpertsShape | None:
        """Sizes of the mixture of experts in each MLP's place; None for one MLP."""
        if self.n_experts == 1:
            return None
        return ExpertsShape(self.n_experts, self.n_active_experts, self.expert_capacity)

    def validate(self) -> None:
        """Heads, window and experts consistent too."""
        TransformerConfig.validate(self)
        self._check_experts()
        if self.n_kv_heads is not None and (self.n_kv_heads < 1 or self.n_heads % self.n_kv_heads):
            raise ValueError(f"n_kv_heads={self.n_kv_heads}; must divide n_heads={self.n_heads}")
        if self.n_kv_heads is not None and self.position.is_content_free:
            raise ValueError(
                f"n_kv_heads={self.n_kv_heads}; position={self.position.value} has no keys to share"
            )
        if self.sliding_window is not None and self.sliding_window < 1:
            raise ValueError(f"sliding_window={self.sliding_window}; must be at least 1")

    def _check_experts(self) -> None:
        if not 1 <= self.n_active_experts <= self.n_experts:
            raise ValueError(
                f"n_active_experts={self.n_active_experts}; must be from 1 to "
                f"n_experts={self.n_experts}"
            )
        if self.n_experts == 1:
            return
        if self.mlp is MlpKind.none:
            raise ValueError(f"n_experts={self.n_experts} with mlp=none; experts are MLPs")
        if self.d_hidden % self.n_experts:
            raise ValueError(
                f"n_experts={self.n_experts} does not divide the {self.d_hidden} hidden units "
                "(mlp_ratio x d_model) that experts share evenly"
            )
        for name in ("expert_capacity", "load_balance"):
            least = 0 if name == "load_balance" else 1
            if not least <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least {least}")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Decoder":
        """A decoder initialised from the seed's own stream."""
        return Decoder(self, vocabulary_size, seq_len, seed)


class Decoder(Transformer):
    """Predicts the next token from those up to it."""

    config: DecoderConfig

    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        logits: Tensor = self.unembedding(self.hidden_states(tokens, is_visible))
        return logits

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 stands where there is none.

        In training a mixture of experts adds, for each target, the weighted unevenness of its
        routers' choices over their least, averaged over layers.
        """
        if self.config.experts is None or not self.training:
            hidden = self.hidden_states(tokens, is_visible).flatten(0, 1)
            return linear_cross_entropy(hidden, self.unembedding.weight, targets.flatten())
        states, unevenness = self._balanced(tokens, is_visible)
        loss = linear_cross_entropy(
            states.flatten(0, 1), self.unembedding.weight, targets.flatten()
        )
        n_targets = (targets != NO_TARGET).sum()
        return loss + self.config.load_balance * n_targets * (unevenness - 1)

    def _balanced(
        self, tokens: Int[Tensor, "batch seq"], is_visible: Bool[Tensor, "batch seq seq"] | None
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, ""]]:
        """The last layer's normalised states, and the mean unevenness of all layers."""
        x, sight = self._embedded(tokens), self._sight(tokens, is_visible, tokens.shape[1])
        layers = []
        for block in self.blocks:
            assert isinstance(block, Block)
            x, unevenness = block.balanced(x, sight)
            layers.append(unevenness)
        return self.norm(x), torch.stack(layers).mean()

    def n_active_parameters(self) -> int:
        """Parameters that one token is computed with."""
        total, experts = sum(self.n_parameters().values()), self.config.experts
        if experts is None:
            return total
        parameters, declared = dict(self.named_parameters()), declarations(self)
        of_experts = sum(p.numel() for name, p in parameters.items() if declared[name].is_expert)
        return total - of_experts + of_experts * experts.n_active // experts.n_experts

    def prefill(
        self,
        prompts: Int[Tensor, "batch seq"],
        lengths: Int[Tensor, " batch"],
        n_positions: int,
    ) -> tuple[Float[Tensor, "batch vocab"], Cache]:
        """Read whole prompts; see ``LanguageModel.prefill``."""
        for module in self.modules():
            if isinstance(module, Rotary):
                module.reach(n_positions)
        cache = Cache(lengths, n_layers=self.config.n_layers, n_positions=n_positions,
                      sliding_window=self.config.sliding_window)  # fmt: skip
        rows = torch.arange(len(prompts), device=prompts.device)
        last = self.hidden_states(prompts, cache=cache)[rows, lengths - 1]
        return self.unembedding(last), cache

    def decode(self, tokens: Int[Tensor, " batch"], cache: Cache) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row."""
        place = cache.place()
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions(place.positions)
        x = x[:, None]
        for block, layer in zip(self.blocks, cache.layers, strict=True):
            assert isinstance(block, Block)
            x = block.decode(x, layer, place)
        cache.advance()
        logits: Tensor = self.unembedding(self.norm(x)[:, 0])
        return logits

    def _mask(
        self, tokens: Int[Tensor, "batch seq"], is_visible: Bool[Tensor, "batch seq seq"] | None
    ) -> Bool[Tensor, "#batch 1 seq seq"] | None:
        return attention_mask(
            is_visible,
            seq_len=tokens.shape[1],
            sliding_window=self.config.sliding_window,
            device=tokens.device,
        )
