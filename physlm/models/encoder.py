"""The encoder: tokens hidden in the middle of a text are told from both sides, as BERT does."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy
from physlm.models.masking import masked
from physlm.models.position import PositionEncoding
from physlm.models.transformer import Transformer
from physlm.registry import register


@register("model", "encoder")
@dataclass(kw_only=True, slots=True)
class EncoderConfig(TransformerConfig):
    """A masked language model; the defaults are BERT's, in the blocks of the decoder.

    Source:
        Devlin et al. (2019), BERT, whose blocks normalise afterwards; its scores pass through one
        more layer. Normalising first is what trains without care.
    """

    position: PositionEncoding = PositionEncoding.learned
    masked_share: float = 0.15  # of the tokens, which the model has to tell

    @property
    def is_causal(self) -> bool:
        """Tokens see both sides."""
        return False

    @property
    def n_special(self) -> int:
        """The mask."""
        return 1

    def validate(self) -> None:
        """Positions of both sides, and something to tell."""
        TransformerConfig.validate(self)
        if self.position.is_content_free:
            raise ValueError(
                f"position={self.position.value} looks back only; use learned, relative, rope or "
                "none in an encoder"
            )
        if not 0 < self.masked_share <= 1:
            raise ValueError(f"masked_share={self.masked_share}; must be above 0, at most 1")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Encoder":
        """An encoder initialised from the seed's own stream."""
        return Encoder(self, vocabulary_size, seq_len, seed)


class Encoder(Transformer):
    """Tells tokens from those around them; its mask is the token ``vocabulary_size``."""

    config: EncoderConfig

    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised scores of which token stands, or is hidden, at each place.

        Raises:
            ValueError: If positions are learned and the window is longer than they are.
        """
        hidden = self.hidden_states(tokens, is_visible)
        return nn.functional.linear(hidden, self._output_weight)

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the masked tokens, divided by their share.

        So that, divided by the number of targets, it is the mean of a masked token. Which tokens
        are masked follows from the windows; see ``masking``.

        Args:
            tokens: Token ids.
            targets: The tokens one further on; -1 after the last of a text, which marks what lies
                behind its end. Nothing there is masked or seen.
            is_visible: Where row t may look at column s; None allows all.
        """
        is_token = targets != NO_TARGET
        inputs, is_chosen = masked(
            tokens, is_token, vocabulary_size=self.vocabulary_size, share=self.config.masked_share
        )
        is_seen = is_token[:, None] if is_visible is None else is_token[:, None] & is_visible
        # What lies behind the end sees itself: a softmax over nothing is nan.
        itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
        hidden = self.hidden_states(inputs, is_seen | itself).flatten(0, 1)
        answers = tokens.masked_fill(~is_chosen, NO_TARGET).flatten()
        loss = linear_cross_entropy(hidden, self._output_weight, answers)
        return loss / self.config.masked_share

    @property
    def _output_weight(self) -> Float[Tensor, "vocab width"]:
        """Without the mask, which is never an answer."""
        return self.unembedding.weight[: self.vocabulary_size]

    def _mask(
        self,
        tokens: Int[Tensor, "batch seq"],  # noqa: ARG002
        is_visible: Bool[Tensor, "batch seq seq"] | None,
    ) -> Bool[Tensor, "#batch 1 seq seq"] | None:
        return None if is_visible is None else is_visible[:, None]
