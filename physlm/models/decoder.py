"""The decoder: GPT-2, Llama and Mistral styles from one configuration."""

import itertools
import math
from dataclasses import dataclass
from enum import Enum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.models.attention import Attention, AttentionShape, attention_mask
from physlm.models.cache import Cache, LayerCache, Place
from physlm.models.cross_entropy import linear_cross_entropy
from physlm.models.language_model import LanguageModel, ModelConfig
from physlm.models.mlp import GatedSiluMlp, GeluMlp, MlpKind
from physlm.models.position import PositionEncoding, Rotary
from physlm.rng import stream_key


class NormKind(str, Enum):
    """LayerNorm as in GPT-2, RMSNorm as in Llama."""

    layernorm = "layernorm"
    rmsnorm = "rmsnorm"


@dataclass(kw_only=True, slots=True)
class DecoderConfig(ModelConfig):
    """A pre-norm decoder; the defaults are the papers' GPT-2 with rotary positions.

    Source:
        Physics of Language Models, Part 3.3, section 2.2 (GPT2-L-H: L layers, H heads of 64).
    """

    n_kv_heads: int | None = None  # None: as many as n_heads
    position: PositionEncoding = PositionEncoding.rope
    rope_fraction: float = 1.0  # share of each head that is rotated
    rope_base: float = 10_000.0
    norm: NormKind = NormKind.layernorm
    norm_eps: float = 1e-5
    mlp: MlpKind = MlpKind.gelu
    mlp_ratio: float = 4.0  # hidden width over d_model
    has_bias: bool = True
    is_tied: bool = True  # input embedding = output projection
    sliding_window: int | None = None  # tokens a token may look back on, itself included
    init_std: float = 0.02

    @property
    def d_hidden(self) -> int:
        """Hidden width of the MLP."""
        return round(self.mlp_ratio * self.d_model)

    @property
    def attention_shape(self) -> AttentionShape:
        """Sizes of each attention layer."""
        return AttentionShape(self.d_model, self.n_heads, self.n_kv_heads or self.n_heads)

    def check(self) -> None:
        """Heads, rotation and hidden width consistent."""
        ModelConfig.check(self)
        if self.n_kv_heads is not None and (self.n_kv_heads < 1 or self.n_heads % self.n_kv_heads):
            raise ValueError(f"n_kv_heads={self.n_kv_heads}; must divide n_heads={self.n_heads}")
        for name in ("rope_base", "norm_eps", "init_std"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; must be above 0")
        if not 0 < self.rope_fraction <= 1:
            raise ValueError(f"rope_fraction={self.rope_fraction}; must be above 0, at most 1")
        head_width = self.d_model // self.n_heads
        is_rotary = self.position is PositionEncoding.rope
        if is_rotary and int(head_width * self.rope_fraction) < 2:
            raise ValueError(
                f"heads of width {head_width} (d_model / n_heads) are too narrow to rotate "
                f"rope_fraction={self.rope_fraction} of them; widen d_model or use fewer heads"
            )
        if self.mlp is not MlpKind.none and self.d_hidden < 1:
            raise ValueError(f"mlp_ratio={self.mlp_ratio}; leaves no hidden unit")
        if self.sliding_window is not None and self.sliding_window < 1:
            raise ValueError(f"sliding_window={self.sliding_window}; must be at least 1")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Decoder":
        """A decoder initialised from the seed's own stream."""
        return Decoder(self, vocabulary_size, seq_len, seed)


class Decoder(LanguageModel):
    """A stack of blocks between an embedding and its projection back to tokens."""

    def __init__(
        self, config: DecoderConfig, vocabulary_size: int, seq_len: int, seed: int
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.seq_len = seq_len
        self.embedding = nn.Embedding(vocabulary_size, config.d_model)
        self.positions = (
            nn.Embedding(seq_len, config.d_model)
            if config.position is PositionEncoding.learned
            else None
        )
        self.longest_window = None if self.positions is None else seq_len
        rotary = _rotary(config, seq_len)
        self.blocks = nn.ModuleList(Block(config, rotary) for _ in range(config.n_layers))
        self.norm = _norm(config)
        self.unembedding = nn.Linear(config.d_model, vocabulary_size, bias=False)
        if config.is_tied:
            self.unembedding.weight = self.embedding.weight
        self._initialise(torch.Generator().manual_seed(stream_key(seed, "weights") >> 1))

    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        logits: Tensor = self.unembedding(self.hidden(tokens, is_visible))
        return logits

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the targets; -1 stands where there is none."""
        hidden = self.hidden(tokens, is_visible).flatten(0, 1)
        return linear_cross_entropy(hidden, self.unembedding.weight, targets.flatten())

    def hidden(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """The last layer's normalised states, which the unembedding reads; fills the cache."""
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions.weight[: self._checked(tokens.shape[1])]
        mask = attention_mask(
            is_visible,
            seq_len=tokens.shape[1],
            sliding_window=self.config.sliding_window,
            device=tokens.device,
        )
        layers = itertools.repeat(None) if cache is None else cache.layers
        for block, layer in zip(self.blocks, layers, strict=False):
            x = block(x, mask, layer)
        normalised: Tensor = self.norm(x)
        return normalised

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
        last = self.hidden(prompts, cache=cache)[rows, lengths - 1]
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

    def n_parameters(self) -> dict[str, int]:
        """Parameters by role; tied embeddings count once."""
        by_role = dict.fromkeys(("embedding", "position", "attention", "mlp", "norm"), 0)
        for name, parameter in self.named_parameters():
            by_role[_role(name)] += parameter.numel()
        return by_role

    def _checked(self, seq_len: int) -> int:
        if seq_len > self.seq_len:
            raise ValueError(
                f"a window of {seq_len} tokens exceeds the {self.seq_len} learned positions; "
                "raise data.seq_len or use model.position=rope"
            )
        return seq_len

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """GPT-2's: normal weights, residual projections scaled down by depth, zero biases."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                is_residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
                scale = 1 / math.sqrt(2 * self.config.n_layers) if is_residual else 1.0
                parameter.normal_(0.0, self.config.init_std * scale, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()


class Block(nn.Module):
    """Attention, then the MLP, each on a normalised copy and added back."""

    def __init__(self, config: DecoderConfig, rotary: Rotary | None) -> None:
        super().__init__()
        self.attention_norm = _norm(config)
        self.attention = Attention(config.attention_shape, rotary, has_bias=config.has_bias)
        self.mlp = _mlp(config)
        self.mlp_norm = None if self.mlp is None else _norm(config)

    def forward(
        self,
        x: Float[Tensor, "batch seq width"],
        mask: Bool[Tensor, "#batch 1 seq seq"] | None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """The residual stream after this block."""
        return self._transformed(x + self.attention(self.attention_norm(x), mask, cache))

    def decode(
        self, x: Float[Tensor, "batch 1 width"], cache: LayerCache, place: Place
    ) -> Float[Tensor, "batch 1 width"]:
        """The same for one more token of each row."""
        attended = self.attention.decode(self.attention_norm(x), cache, place)
        return self._transformed(x + attended)

    def _transformed(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq width"]:
        if self.mlp is not None and self.mlp_norm is not None:
            x = x + self.mlp(self.mlp_norm(x))
        return x


def _rotary(config: DecoderConfig, seq_len: int) -> Rotary | None:
    if config.position is not PositionEncoding.rope:
        return None
    width = config.attention_shape.head_width
    return Rotary(width, seq_len, fraction=config.rope_fraction, base=config.rope_base)


def _norm(config: DecoderConfig) -> nn.Module:
    if config.norm is NormKind.rmsnorm:
        return nn.RMSNorm(config.d_model, eps=config.norm_eps)
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, bias=config.has_bias)


def _mlp(config: DecoderConfig) -> GeluMlp | GatedSiluMlp | None:
    if config.mlp is MlpKind.none:
        return None
    kind = GeluMlp if config.mlp is MlpKind.gelu else GatedSiluMlp
    return kind(config.d_model, config.d_hidden, has_bias=config.has_bias)


def _role(name: str) -> str:
    if "norm" in name:
        return "norm"
    roles = {"attention": "attention", "mlp": "mlp", "positions": "position"}
    return next((role for part, role in roles.items() if part in name), "embedding")
