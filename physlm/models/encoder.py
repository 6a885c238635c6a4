"""The encoder: predicts masked tokens from both sides, as BERT does."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.architecture import EncoderConfig
from physlm.models.cross_entropy import NO_TARGET, linear_cross_entropy
from physlm.models.mlm_masking import masked
from physlm.models.transformer import Transformer


class Encoder(Transformer):
    """Predicts masked tokens from both sides; the mask's token id is ``vocabulary_size``."""

    config: EncoderConfig

    def loss(
        self,
        tokens: Int[Tensor, "batch seq"],
        targets: Int[Tensor, "batch seq"],
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss in nats over the masked tokens, divided by the masked fraction.

        Divided by the number of targets, it is thus the mean loss of a masked token. In training,
        the z-loss is added. The masks are a function of the windows; see ``mlm_masking``.

        Args:
            tokens: Token ids.
            targets: The next tokens; -1 from the last token of a text on, which marks padding.
                Padding is neither masked nor seen.
            segments: Segment number of each token; None for one segment per row.
        """
        is_token = targets != NO_TARGET
        inputs, is_chosen = masked(
            tokens,
            is_token,
            vocabulary_size=self.vocabulary_size,
            fraction=self.config.masked_fraction,
        )
        segments = torch.zeros_like(tokens) if segments is None else segments
        # Padding is a segment of its own, which no text sees.
        hidden = self.hidden_states(inputs, segments.masked_fill(~is_token, -1)).flatten(0, 1)
        answers = tokens.masked_fill(~is_chosen, NO_TARGET).flatten()
        z_loss = self.config.z_loss if self.training else 0.0
        kind = self.config.z_loss_kind
        loss = linear_cross_entropy(hidden, self.output_weight, answers, z_loss, kind)
        return loss / self.config.masked_fraction

    @property
    def output_weight(self) -> Float[Tensor, "vocab width"]:
        """The output head without the mask, which is never predicted."""
        weight: Tensor = self.unembedding.weight[: self.vocabulary_size]
        return weight
