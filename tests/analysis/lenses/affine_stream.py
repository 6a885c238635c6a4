"""A model whose blocks are affine maps, so that its exact translators are known."""

import torch
from torch import nn

from physlm.models.language_model import LanguageModel, chosen


class AffineStream(LanguageModel):
    """Block k maps h to h + h A_k + c_k, in fp64; every position has an embedding of its own."""

    def __init__(self, n_layers=3, width=6, vocabulary_size=11, seq_len=8):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape, scale=1.0):
            values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
            return nn.Parameter(values)

        self.embedding, self.positions = drawn(vocabulary_size, width), drawn(seq_len, width)
        self.maps = drawn(n_layers, width, width, scale=0.3)
        self.shifts = drawn(n_layers, width)
        self.head = drawn(vocabulary_size, width)

    @property
    def n_layers(self):
        return len(self.maps)

    @property
    def output_weight(self):
        return self.head

    def forward(self, tokens, segments=None):
        return self.unembed(self.residuals(tokens)[-1])

    def residuals(self, tokens, states=None, segments=None):
        stream = [self.embedding[tokens] + self.positions[: tokens.shape[1]]]
        for k in range(self.n_layers):
            stream.append(stream[-1] + stream[-1] @ self.maps[k] + self.shifts[k])
        return torch.stack([stream[k] for k in chosen(states, self.n_layers + 1, "state")])

    def unembed(self, residual):
        return nn.functional.rms_norm(residual, residual.shape[-1:]) @ self.head.T

    def forward_from(self, residual, k, segments=None):
        for block in range(k, self.n_layers):
            residual = residual + residual @ self.maps[block] + self.shifts[block]
        return residual

    def translators(self):
        """W and b of each state, by composing the blocks after it."""
        found = []
        for k in range(self.n_layers):
            matrix, shift = (
                torch.eye(self.maps.shape[-1]).double(),
                torch.zeros(self.maps.shape[-1]).double(),
            )
            for block in range(k, self.n_layers):
                step = torch.eye(len(matrix)).double() + self.maps[block]
                matrix, shift = matrix @ step, shift @ step
                shift = shift + self.shifts[block]
            found.append((matrix - torch.eye(len(matrix)).double(), shift))
        return [torch.stack(part).detach() for part in zip(*found, strict=True)]
