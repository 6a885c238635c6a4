"""The models and batches that every benchmark of training uses."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from physlm.data.corpus import Documents
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.decoder import Decoder


@dataclass(frozen=True, slots=True)
class Shape:
    """A model and a batch; the tokens of a world of strings over an alphabet fill the windows.

    Attributes:
        n_steps: Optimizer steps of one turn.
    """

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    vocabulary_size: int
    seq_len: int
    batch_size: int
    n_steps: int

    @property
    def n_tokens(self) -> int:
        """Tokens of one optimizer step."""
        return self.batch_size * self.seq_len

    @property
    def is_bound_by_overhead(self) -> bool:
        """Whether loops around the same model could differ at all."""
        return self.n_layers <= 2

    def corpus(self) -> "Noise":
        """Documents of random tokens, each of which fills a window."""
        return Noise(self.vocabulary_size, self.seq_len)

    def model(self) -> Decoder:
        """GPT-2 with learned positions, as transformers has it."""
        config = DecoderConfig(
            n_layers=self.n_layers,
            d_model=self.d_model,
            n_heads=self.n_heads,
            position=PositionEncoding.learned,
        )
        return config.build(self.vocabulary_size, self.seq_len, 0)

    def operations(self) -> float:
        """Multiplications and additions of one optimizer step, by 6 N + 12 L d T per token.

        Source:
            Chowdhery et al. (2022), PaLM, appendix B.
        """
        per_layer = 12 * self.d_model**2
        weights = self.n_layers * per_layer + self.vocabulary_size * self.d_model
        attention = 12 * self.n_layers * self.d_model * self.seq_len
        return float(self.n_tokens * (6 * weights + attention))


class _Vocabulary(NamedTuple):
    size: int
    eos: int = 0


@dataclass(frozen=True, slots=True)
class Noise:
    """A corpus that costs nothing to render, for models of any vocabulary."""

    n_tokens: int
    document_length: int
    n_documents: int = 1024
    n_epochs: int = 10**6

    @property
    def vocabulary(self) -> _Vocabulary:
        """Only numbers."""
        return _Vocabulary(self.n_tokens)

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """The same tokens in every epoch."""
        rng = np.random.default_rng(first)
        n = last - first
        tokens = rng.integers(0, self.n_tokens, n * self.document_length, dtype=np.int32)
        return Documents(tokens, np.arange(n + 1) * self.document_length)


ON_CPU = (
    Shape("tiny: 2L, d 32, V 64, T 24, B 96", 2, 32, 2, 64, 24, 96, 32),
    Shape("a: 2L, d 128, V 4096, T 512, B 8", 2, 128, 4, 4096, 512, 8, 2),
    Shape("b: 4L, d 256, V 4096, T 512, B 4", 4, 256, 4, 4096, 512, 4, 1),
    Shape("c: 12L, d 768, V 8, T 512, B 2", 12, 768, 12, 8, 512, 2, 1),
)
ON_GPU = (
    Shape("tiny: 2L, d 32, V 64, T 24, B 96", 2, 32, 2, 64, 24, 96, 256),
    Shape("a: 2L, d 128, V 4096, T 512, B 8", 2, 128, 4, 4096, 512, 8, 128),
    Shape("b: 4L, d 256, V 4096, T 512, B 8", 4, 256, 4, 4096, 512, 8, 64),
    Shape("c: 12L, d 768, V 8, T 512, B 16", 12, 768, 12, 8, 512, 16, 16),
    Shape("gpt2-12-12: 12L, d 768, V 50304, T 512, B 32", 12, 768, 12, 50304, 512, 32, 8),
)
