"""A small trained model with windows to fit lenses on, and others to analyse."""

import pytest
import torch

from physlm.analysis.lenses.config import TunedLensConfig
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.lenses.tuned_lens import TunedLens
from physlm.data.cfg.corpus import CfgConfig
from physlm.models.architecture import DecoderConfig
from physlm.models.components import MlpKind, NormKind

N_LAYERS, SEQ_LEN = 4, 32


def windows(corpus, epoch, n):
    tokens = torch.from_numpy(corpus.epoch(epoch, 0, corpus.n_documents).tokens).long()
    return tokens[: n * SEQ_LEN].view(n, SEQ_LEN)


def llama(vocabulary_size, seed=0):
    config = DecoderConfig(
        n_layers=N_LAYERS,
        n_heads=2,
        d_model=32,
        norm=NormKind.rmsnorm,
        mlp=MlpKind.gated_silu,
        has_bias=False,
        tie_embeddings=False,
    )
    return config.build(vocabulary_size, SEQ_LEN, seed)


@pytest.fixture(scope="session")
def corpus():
    """English sentences of 30 words."""
    return CfgConfig(grammar="english", n_strings=8000).build(0)


@pytest.fixture(scope="session")
def model(corpus):
    model = llama(corpus.vocabulary.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    text = windows(corpus, 0, 1024)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        batch = text[torch.randint(len(text), (32,), generator=generator)]
        loss = model.loss(batch[:, :-1].contiguous(), batch[:, 1:].contiguous())
        optimizer.zero_grad()
        (loss / batch[:, 1:].numel()).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="session")
def text(corpus):
    """Windows to fit lenses on."""
    return windows(corpus, 1, 256)


@pytest.fixture(scope="session")
def held_out(model, corpus):
    """States 0 to L at the tokens of other windows."""
    windows_of = Windows(windows(corpus, 2, 128))
    return next(iter(StatePool(model, windows_of, skip_first=1, seed=0)))


@pytest.fixture(scope="session")
def tuned(model, text):
    return TunedLens.fit(model, text, TunedLensConfig(n_steps=60))


@pytest.fixture(scope="session")
def ridge(model, text):
    return TunedLens.fit(model, text, TunedLensConfig(optimizer="none"))
