"""The stack that decoder and encoder share."""

import itertools
import math
from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.block import Block, norm
from physlm.models.cache import Cache
from physlm.models.distance import Distances
from physlm.models.language_model import LanguageModel
from physlm.models.parameters import Declaration, Start, declarations, roles, starts
from physlm.models.position import PositionEncoding, Rotary
from physlm.models.sight import Sight
from physlm.rng import stream_key


class Transformer(LanguageModel):
    """A stack of blocks between an embedding and its projection back to tokens."""

    declares: ClassVar = {
        "embedding": Declaration(role="embedding"),
        "unembedding": Declaration(role="embedding"),
        "positions": Declaration(role="position"),
        "distances": Declaration(role="position"),
    }

    def __init__(
        self, config: TransformerConfig, vocabulary_size: int, seq_len: int, seed: int
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.seq_len = seq_len
        self.is_causal = config.is_causal
        self.embedding = nn.Embedding(vocabulary_size + config.n_special, config.d_model)
        self.positions = (
            nn.Embedding(seq_len, config.d_model)
            if config.position is PositionEncoding.learned
            else None
        )
        self.longest_window = None if self.positions is None else seq_len
        self.distances = (
            Distances(seq_len, config.d_model, is_causal=self.is_causal)
            if config.position.has_embedded_distances
            else None
        )
        rotary = _rotary(config, seq_len)
        self.blocks = nn.ModuleList(Block(config, rotary) for _ in range(config.n_layers))
        self.norm = norm(config)
        self.unembedding = nn.Linear(config.d_model, vocabulary_size, bias=False)
        if config.is_tied:
            self.unembedding.weight = self.embedding.weight
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """GPT-2's first weights, from the seed's own stream: residual outputs smaller with depth.

        A subclass that adds parameters calls it again, once it has them.

        Raises:
            InputError: Naming a parameter of which no module declares how it begins.
        """
        generator = torch.Generator().manual_seed(stream_key(seed, "weights") >> 1)
        parameters, declared = dict(self.named_parameters()), declarations(self)
        for name, start in starts(self).items():
            if start is Start.normal:
                is_residual = declared[name].is_residual
                scale = 1 / math.sqrt(2 * self.config.n_layers) if is_residual else 1.0
                parameters[name].normal_(0.0, self.config.init_std * scale, generator=generator)
            elif start is Start.zero:
                parameters[name].zero_()

    def hidden_states(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """The last layer's normalised states, which the unembedding reads; fills the cache.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        n_positions = tokens.shape[1] if cache is None else cache.n_positions
        x, sight = self._embedded(tokens), self._sight(tokens, is_visible, n_positions)
        layers = itertools.repeat(None) if cache is None else cache.layers
        for block, layer in zip(self.blocks, layers, strict=False):
            x = block(x, sight, layer)
        normalised: Tensor = self.norm(x)
        return normalised

    @torch.no_grad()
    def attention_maps(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "layers batch heads seq seq"]:
        """Row t of a map says how much token t takes from each token; see ``LanguageModel``."""
        x, sight = self._embedded(tokens), self._sight(tokens, is_visible, tokens.shape[1])
        maps = []
        for block in self.blocks:
            assert isinstance(block, Block)
            maps.append(block.attention_weights(x, sight))
            x = block(x, sight)
        return torch.stack(maps)

    def untrained(self, seed: int) -> LanguageModel:
        """The same architecture with random weights; see ``LanguageModel``."""
        fresh = self.config.build(self.vocabulary_size, self.seq_len, seed)
        return fresh.to(self.embedding.weight)

    def n_parameters(self) -> dict[str, int]:
        """Parameters by role; tied embeddings count once."""
        by_role = dict.fromkeys(("embedding", "position", "attention", "mlp", "norm"), 0)
        parameters = dict(self.named_parameters())
        for name, role in roles(self).items():
            by_role[role] = by_role.get(role, 0) + parameters[name].numel()
        return by_role

    @abstractmethod
    def _mask(
        self, tokens: Int[Tensor, "batch seq"], is_visible: Bool[Tensor, "batch seq seq"] | None
    ) -> Bool[Tensor, "#batch 1 seq seq"] | None:
        """What hides tokens from each other, as in ``Sight``."""

    def _sight(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None,
        n_positions: int,
    ) -> Sight:
        return Sight(
            is_causal=self.is_causal,
            n_positions=n_positions,
            mask=self._mask(tokens, is_visible),
            distances=None if self.distances is None else self.distances(n_positions),
        )

    def _embedded(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq width"]:
        x: Tensor = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions.weight[: self._checked(tokens.shape[1])]
        return x

    def _checked(self, seq_len: int) -> int:
        if seq_len > self.seq_len:
            raise ValueError(
                f"a window of {seq_len} tokens exceeds the {self.seq_len} learned positions; "
                "raise data.seq_len or use model.position=rope"
            )
        return seq_len


def _rotary(config: TransformerConfig, seq_len: int) -> Rotary | None:
    if config.position is not PositionEncoding.rope:
        return None
    width = config.attention_shape.head_width
    return Rotary(width, seq_len, fraction=config.rope_fraction, base=config.rope_base)
