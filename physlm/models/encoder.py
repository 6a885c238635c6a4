"""The encoder: predicts masked tokens from both sides, as BERT does."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.architecture import EncoderConfig
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy
from physlm.models.mlm_masking import masked
from physlm.models.transformer import Transformer


class Encoder(Transformer):
    """Tells tokens from those around them; its mask is the token ``vocabulary_size``."""

    config: EncoderConfig

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the masked tokens, divided by their share.

        So that, divided by the number of targets, it is the mean of a masked token. Which tokens
        are masked follows from the windows; see ``mlm_masking``.

        Args:
            tokens: Token ids.
            targets: The tokens one further on; -1 after the last of a text, which marks what lies
                behind its end. Nothing there is masked or seen.
            segments: Which tokens may see each other; None for all.
        """
        is_token = targets != NO_TARGET
        inputs, is_chosen = masked(
            tokens,
            is_token,
            vocabulary_size=self.vocabulary_size,
            share=self.config.masked_fraction,
        )
        segments = torch.zeros_like(tokens) if segments is None else segments
        # What lies behind the end is a segment of its own, which no text sees.
        hidden = self.hidden_states(inputs, segments.masked_fill(~is_token, -1)).flatten(0, 1)
        answers = tokens.masked_fill(~is_chosen, NO_TARGET).flatten()
        loss = linear_cross_entropy(hidden, self.output_weight, answers)
        return loss / self.config.masked_fraction

    @property
    def output_weight(self) -> Float[Tensor, "vocab width"]:
        """The output head without the mask, which is never an answer."""
        weight: Tensor = self.unembedding.weight[: self.vocabulary_size]
        return weight
