"""Greedy decoding with early exit, and by all blocks of the same model.

The threshold is that of the scorer: 99 % agreement of decoded tokens on other texts. A trained
model is needed, as an untrained one is sure of nothing.
"""

from functools import partial

import torch
from torch import Tensor

from benchmarks.lenses import first, llama, train, windows
from benchmarks.timing import Row, compare
from physlm.analysis.depth.early_exit_decoder import EarlyExitDecoder
from physlm.analysis.depth.early_exit_scorer import EarlyExitConfig
from physlm.analysis.depth.exit_decoding import calibrated
from physlm.analysis.lenses import TunedLens
from physlm.analysis.lenses.config import TunedLensConfig
from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bios import BiosConfig
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel

_N_LAYERS, _D_MODEL, _N_STEPS = 12, 64, 800
_N_TEXTS, _N_PROMPT, _N_NEW = 16, 16, 48
_WORK = "greedy decoding with early exit, 99 % agreement"


def early_exit_rows() -> list[Row]:
    """Tokens per second for one text at a time and for a batch, and blocks per token."""
    texts_of = AugmentationConfig(n_paraphrases=1, order=Order.fixed)
    corpus = BiosConfig(n_people=50, exposures=10_000, pool_size=20, augmentation=texts_of).build(0)
    model = llama(corpus.vocabulary.size, n_layers=_N_LAYERS, d_model=_D_MODEL)
    train(model, windows(corpus, 0), n_steps=_N_STEPS)
    lens = TunedLens.fit(model, first(windows(corpus, 5000), 64), TunedLensConfig(n_steps=50))
    rule = calibrated(lens, first(windows(corpus, 9000), _N_TEXTS), EarlyExitConfig())
    assert rule is not None
    early = EarlyExitDecoder(lens, rule)
    texts = first(windows(corpus, 9500), _N_TEXTS)
    with torch.inference_mode():
        agreement = (early(texts).argmax(-1) == model(texts).argmax(-1)).double().mean().item()
    blocks, shape = early.mean_blocks, f"12L, d {_D_MODEL}, V {corpus.vocabulary.size}, 16 + 48"
    prompts = texts[:, :_N_PROMPT]
    rows = [
        compare(
            _WORK,
            f"{shape}, B {size}",
            "all blocks",
            ours=partial(_generate, early, prompts, size),
            theirs=partial(_generate, model, prompts, size),
        )
        for size in (1, _N_TEXTS)
    ]
    counted = f"{_WORK}: blocks per token, at {agreement:.1%} on the texts"
    return [*rows, Row(counted, shape, "all blocks", blocks, _N_LAYERS, "blocks", is_cost=True)]


def _generate(model: LanguageModel, prompts: Tensor, batch_size: int) -> int:
    sampling = Sampling(max_new_tokens=_N_NEW, temperature=0.0, batch_size=batch_size)
    some = prompts[: max(4, batch_size)]
    return sum(map(len, generate(model, some, sampling, seed=0).tokens))
