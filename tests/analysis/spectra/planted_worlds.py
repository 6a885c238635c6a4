"""A tiny world and models, with effects planted into attention maps."""

import numpy as np
import torch

from physlm.data.sums.corpus import SumsConfig
from physlm.models.architecture import DecoderConfig
from physlm.models.decoder import Decoder

PLANTED = (0, 1)  # layer and head
WIDTH = 8  # of a head


def world(**changes):
    return SumsConfig(modulus=5, n_steps=1, n_texts=300, seq_len=16, **changes).build(0)


def model_of(corpus, **changes):
    config = DecoderConfig(**({"n_heads": 2, "d_model": 16, "init_std": 0.3} | changes))
    return config.build(corpus.vocabulary.size, 16, 0).eval()


def planted(corpus, **changes):
    model = model_of(corpus, **changes)
    model.__class__ = Planted
    model.corpus = corpus
    return model


class Planted(Decoder):
    """One head shows right texts as two blocks, unless it is silenced, and is an induction head."""

    def attention_patterns(self, tokens, layers=None, segments=None):
        is_right = torch.from_numpy(self.corpus.are_right(list(tokens.int().numpy())))
        own, head = PLANTED
        silenced = self.blocks[own].attention.out.weight[:, head * WIDTH : (head + 1) * WIDTH]
        period = (tokens.shape[1] - 1) // 2
        is_repeated = (tokens[:, 1 : 1 + period] == tokens[:, 1 + period : 1 + 2 * period]).all(1)
        for layer, shown in super().attention_patterns(tokens, layers, segments):
            maps = shown.clone()
            if layer == own and silenced.any():
                maps[is_right, head] = two_blocks(tokens.shape[1])
            if layer == own:
                maps[is_repeated, head] = follows(tokens.shape[1], period)
            yield layer, maps


def two_blocks(n):
    half = torch.arange(n) >= n // 2
    seen = (half[:, None] == half).tril().float()
    return seen / seen.sum(-1, keepdim=True)


def follows(n, period):
    """Tokens attend to what followed them a period ago; those of the first to themselves."""
    maps = torch.eye(n)
    for t in range(period, n):
        maps[t] = torch.eye(n)[t - period + 1]
    return maps


def values_of(metrics):
    return {metric.text: metric.value for metric in metrics}


def errors_of(metrics):
    return {metric.text: metric.stderr for metric in metrics}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)
