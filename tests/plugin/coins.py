"""A world and a scorer of somebody else: `python coins.py +experiment=coins --config-dir conf`."""

from dataclasses import dataclass

import numpy as np

from physlm.data.corpus import DataConfig, Documents
from physlm.data.tokens import TokenizerName, Vocabulary
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement, Metric
from physlm.registry import register
from physlm.rng import stream
from physlm.run import main


@register("data", "coins")
@dataclass(kw_only=True, slots=True)
class CoinsConfig(DataConfig):
    """Coins that are thrown again in every epoch."""

    n_throws: int = 1000

    def build(self, seed):
        """The coins of a seed."""
        return Coins(self, seed)


@dataclass(frozen=True)
class Coins:
    """End-of-text, then heads or tails."""

    config: CoinsConfig
    seed: int

    @property
    def vocabulary(self):
        return Vocabulary.build(TokenizerName.compact, [" heads", " tails"])

    @property
    def n_documents(self):
        return self.config.n_throws

    @property
    def n_epochs(self):
        return self.config.exposures

    @property
    def entropy_bits(self):
        return 0.0

    def fingerprint(self):
        return f"coins {self.seed} {self.n_documents}"

    def epoch(self, number, first, last):
        sides = stream(self.seed, "coins", number).integers(0, 2, self.n_documents)[first:last]
        tokens = np.full((last - first, 2), self.vocabulary.eos, dtype=np.int32)
        tokens[:, 1] = self.vocabulary.encode(" heads tails")[sides]
        return Documents(tokens.ravel(), 2 * np.arange(last - first + 1))


@register("eval", "heads")
@dataclass(kw_only=True, slots=True)
class HeadsConfig(ScorerConfig):
    """How often heads come up."""

    n_read: int = 100

    def check(self, model, corpus):
        assert isinstance(corpus, Coins)

    def measure(self, model, corpus):
        tokens = corpus.epoch(0, 0, self.n_read).tokens
        share = float((tokens == corpus.vocabulary.encode(" heads")[0]).sum()) / self.n_read
        metric = Metric(name="heads/share", value=share, unit="share", n=self.n_read)
        return Measurement((metric,))


if __name__ == "__main__":
    main()
