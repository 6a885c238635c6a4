"""A model whose states are given, and random models."""

import torch

from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.language_model import LanguageModel, chosen


class PlantedModel(LanguageModel):
    """A model with given states ``[states, batch, seq, vocab]``, which are scores themselves."""

    def __init__(self, states):
        super().__init__()
        self.states = torch.as_tensor(states, dtype=torch.float32)
        self.vocabulary_size = self.states.shape[-1]

    @property
    def n_layers(self):
        return len(self.states) - 1

    def forward(self, tokens, segments=None):
        return self.states[-1]

    def residuals(self, tokens, states=None, segments=None):
        wanted = chosen(states, self.n_layers + 1, "state")
        return self.states[wanted][:, : tokens.shape[0], : tokens.shape[1]]

    def unembed(self, residual):
        return residual


def decoder(vocabulary_size=37, n_layers=3, seq_len=16):
    """A random model, with scores that are far from uniform."""
    config = DecoderConfig(
        n_layers=n_layers, d_model=16, n_heads=2, position=PositionEncoding.learned, init_std=0.5
    )
    return config.build(vocabulary_size, seq_len, 0).eval()


def random_tokens(shape, vocabulary_size=37, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocabulary_size, shape, generator=generator)
