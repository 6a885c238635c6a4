"""Base of decoder and encoder: the one loop over blocks, and all its uses."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.architecture import TransformerConfig
from physlm.models.attention_mask import AttentionMask
from physlm.models.block import Block, norm
from physlm.models.components import PositionEncoding, ResidualInit
from physlm.models.context import Context
from physlm.models.language_model import LanguageModel, chosen
from physlm.models.parameters import Declaration, Start, declarations, roles, starts
from physlm.models.position import Rotary
from physlm.models.relative_position import RelativePositions
from physlm.rng import stream_key


class Transformer(LanguageModel):
    """A stack of blocks between an embedding and an output head."""

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
            RelativePositions(seq_len, config.d_model, is_causal=self.is_causal)
            if config.position.has_embedded_distances
            else None
        )
        rotary = _rotary(config, seq_len)
        self.blocks = nn.ModuleList(Block(config, rotary) for _ in range(config.n_layers))
        self.norm = norm(config)
        self.unembedding = nn.Linear(config.d_model, vocabulary_size, bias=False)
        if config.tie_embeddings:
            self.unembedding.weight = self.embedding.weight
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Initial values from the seed's own stream; by default GPT-2's (see ``residual_init``).

        Parameters that a function initialises have a stream each, so that a model with them has
        the same other weights as a model without.

        A subclass that adds parameters calls it again after adding them.

        Raises:
            InputError: Naming a parameter whose initialisation no module declares.
        """
        generator = _generator(seed, "weights")
        parameters, declared = dict(self.named_parameters()), declarations(self)
        is_plain = self.config.residual_init is ResidualInit.plain
        of_residual = 1.0 if is_plain else 1 / math.sqrt(2 * self.config.n_layers)
        for name, start in starts(self).items():
            if start is Start.normal:
                scale = of_residual if declared[name].is_residual else 1.0
                parameters[name].normal_(0.0, self.config.init_std * scale, generator=generator)
            elif start is Start.zero:
                parameters[name].zero_()
            elif not isinstance(start, Start):
                start(parameters[name], _generator(seed, "weights", name))

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised scores of every token.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        return nn.functional.linear(self.hidden_states(tokens, segments), self.output_weight)

    def hidden_states(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq width"]:
        """State L after the final norm; see ``LanguageModel``."""
        last = self.run(self.embed(tokens), self.context(tokens.shape[1], segments))
        normalised: Tensor = self.norm(last)
        return normalised

    def residuals(
        self,
        tokens: Int[Tensor, "batch seq"],
        states: Sequence[int] | None = None,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "states batch seq width"]:
        """The residual stream at chosen states; see ``LanguageModel``."""
        wanted = chosen(states, self.n_layers + 1, "state")
        stream = self.states(self.embed(tokens), self.context(tokens.shape[1], segments))
        kept = {k: x for k, x in zip(range(max(wanted) + 1), stream, strict=False) if k in wanted}
        return torch.stack([kept[k] for k in wanted])

    def unembed(self, residual: Float[Tensor, "*any width"]) -> Float[Tensor, "*any vocab"]:
        """Scores from a state; see ``LanguageModel``."""
        # A bf16 head is copied to fp32 at each call: a kept copy would take twice the head's memory
        # for good, and torch has products of bf16 with fp32 output on CUDA only.
        with torch.autocast(residual.device.type, enabled=False):
            normalised: Tensor = self.norm(residual.to(self.output_weight.dtype))
            exact = torch.promote_types(normalised.dtype, torch.float32)
            return nn.functional.linear(normalised.to(exact), self.output_weight.to(exact))

    def forward_from(
        self,
        residual: Float[Tensor, "batch seq width"],
        k: int,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """State L from a given state k; see ``LanguageModel``."""
        chosen([k], self.n_layers + 1, "state")
        if self.positions is not None:
            self._checked(residual.shape[1])
        return self.run(residual, self.context(residual.shape[1], segments), first=k)

    def attention_patterns(
        self,
        tokens: Int[Tensor, "batch seq"],
        layers: Sequence[int] | None = None,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Iterator[tuple[int, Float[Tensor, "batch heads seq seq"]]]:
        """Attention weights, layer by layer; see ``LanguageModel``."""
        return self._patterns(tokens, chosen(layers, self.n_layers, "layer"), segments)

    @torch.no_grad()
    def _patterns(
        self, tokens: Tensor, layers: list[int], segments: Tensor | None
    ) -> Iterator[tuple[int, Tensor]]:
        # The stream is kept, not the patterns: it is smaller, and allows any order of the layers.
        context = self.context(tokens.shape[1], segments)
        for layer, x in zip(layers, self.residuals(tokens, layers, segments), strict=True):
            block = self.blocks[layer]
            assert isinstance(block, Block)
            yield layer, block.attention_patterns(x, context)

    def states(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        *,
        first: int = 0,
        last: int | None = None,
    ) -> Iterator[Float[Tensor, "batch seq width"]]:
        """States ``first`` to ``last``, from the first of them.

        This is the only loop over blocks. It is lazy: blocks after the last state that is consumed
        do not run.

        Args:
            x: State ``first``.
            context: Context of all blocks.
            first: Number of the first block to run.
            last: Number of the last state; None for state L.
        """
        yield x
        for number in range(first, self.n_layers if last is None else last):
            x = self.blocks[number](x, context.of_block(number))
            yield x

    def run(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        *,
        first: int = 0,
        last: int | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """State ``last``, state L if None, from state ``first``; see ``states``."""
        for x in self.states(x, context, first=first, last=last):  # noqa: B007, PLR1704, B020
            pass
        return x

    def embed(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq width"]:
        """State 0 of whole windows.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        x: Tensor = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions.weight[: self._checked(tokens.shape[1])]
        return x

    def context(
        self, n_positions: int, segments: Int[Tensor, "batch seq"] | None = None
    ) -> Context:
        """Context for windows of ``n_positions`` tokens, or rows that grow to that length."""
        mask = AttentionMask(
            is_causal=self.is_causal, window=self.config.attention_window, segments=segments
        )
        embedded = None if self.distances is None else self.distances(n_positions)
        return Context(mask=mask, n_positions=n_positions, relative_positions=embedded)

    @property
    def output_weight(self) -> Float[Tensor, "vocab width"]:
        """Weights of the output head; see ``LanguageModel``."""
        weight: Tensor = self.unembedding.weight
        return weight

    def untrained(self, seed: int) -> LanguageModel:
        """The same architecture with random weights; see ``LanguageModel``."""
        fresh = self.config.build(self.vocabulary_size, self.seq_len, seed)
        return fresh.to(self.embedding.weight).train(self.training)

    def n_parameters(self) -> dict[str, int]:
        """Parameters by role; tied embeddings count once."""
        by_role = dict.fromkeys(("embedding", "position", "attention", "mlp", "norm"), 0)
        parameters = dict(self.named_parameters())
        for name, role in roles(self).items():
            by_role[role] = by_role.get(role, 0) + parameters[name].numel()
        return by_role

    def _checked(self, seq_len: int) -> int:
        if seq_len > self.seq_len:
            raise ValueError(
                f"a window of {seq_len} tokens exceeds the {self.seq_len} learned positions; "
                "raise data.seq_len or use model.position=rope"
            )
        return seq_len


def transformer(model: LanguageModel, what: str) -> Transformer:
    """The model, required to be a decoder or encoder of physlm.

    Args:
        model: Any model.
        what: The feature that requires it, for the error.

    Raises:
        InputError: If it is another model.
    """
    if not isinstance(model, Transformer):
        raise InputError(f"{what}: this model is not a decoder or encoder of physlm")
    return model


def without_layer(model: LanguageModel, layer: int) -> Transformer:
    """A copy without one layer, counted from 0.

    Raises:
        InputError: If the model has no such layer, or only that one.
    """
    shorter = copy.deepcopy(transformer(model, "removing a layer"))
    if not (0 <= layer < shorter.n_layers and shorter.n_layers > 1):
        raise InputError(
            f"layer={layer} cannot be removed from {shorter.n_layers} layers; must be one of them, "
            "and leave another"
        )
    del shorter.blocks[layer]
    shorter.config = replace(shorter.config, n_layers=shorter.n_layers)
    return shorter


def without_heads(model: LanguageModel, heads: Sequence[tuple[int, int]]) -> Transformer:
    """A copy in which some heads, each a layer and a head from 0, add nothing to the stream.

    Their attention weights stay as they are.

    Raises:
        InputError: If the model has no such layer or head.
    """
    quieter = copy.deepcopy(transformer(model, "silencing heads"))
    for layer, head in heads:
        block = quieter.blocks[chosen([layer], quieter.n_layers, "layer")[0]]
        assert isinstance(block, Block)
        block.attention.silence([head])
    return quieter


def _generator(seed: int, *purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(stream_key(seed, *purpose) >> 1)


def _rotary(config: TransformerConfig, seq_len: int) -> Rotary | None:
    if config.position is not PositionEncoding.rope:
        return None
    width = config.attention_shape.head_width
    return Rotary(
        width,
        seq_len,
        fraction=config.rope_fraction,
        base=config.rope_base,
        heads_fraction=config.rope_heads_fraction,
        is_interleaved=config.rope_is_interleaved,
    )
