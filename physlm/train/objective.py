"""The training objective: the loss of a batch of windows."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.models.language_model import LanguageModel


class Objective(nn.Module):
    """Summed loss of a model on windows.

    Attributes:
        model: The model.
        eos: The token that begins every document.
        is_visible_across_documents: Whether tokens see earlier documents.
    """

    def __init__(
        self, model: LanguageModel, *, eos: int, is_visible_across_documents: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.eos = eos
        self.is_visible_across_documents = is_visible_across_documents

    def forward(self, windows: Int[Tensor, "batch seq_1"]) -> Float[Tensor, ""]:
        """Loss in nats, summed over the targets of these windows."""
        # As windows store them: -1 is padding, -2 - token a token that is read but not predicted.
        tokens = torch.where(windows < -1, -2 - windows, windows)
        inputs = tokens[:, :-1].clamp(min=0).long()
        targets = windows[:, 1:].clamp(min=-1).long()
        segments = None if self.is_visible_across_documents else self._documents(inputs)
        return self.model.loss(inputs, targets, segments)

    def _documents(self, inputs: Int[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
        """Document number of each token; a document begins with end-of-text."""
        return (inputs == self.eos).cumsum(dim=1)
