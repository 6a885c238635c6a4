"""Fitting of tuned lenses: ridge and Muon, and the recipe of the package `tuned-lens`.

Its training does not import with current torchdata, so its loop is written out here: a forward pass
on new windows at every step, one linear layer per state, one state after the other. It is spared
autocast to bf16, which is slower on a CPU.
"""

import itertools
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.timing import Row
from physlm.analysis.lenses import TunedLens
from physlm.analysis.lenses.config import TunedLensConfig
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.analysis.lenses.lens import frozen
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.data.people.bios import BiosConfig
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.models.architecture import DecoderConfig
from physlm.models.components import MlpKind, NormKind
from physlm.models.decoder import Decoder

SEQ_LEN = 64
_N_STEPS, _WINDOWS_PER_STEP = 250, 16  # of the recipe; it has 2^18 tokens per step
_N_WINDOWS, _N_HELD_OUT = 128, 256
_TRIED = (12, 25, 50, 100, 200)  # steps of Muon


def lens_rows() -> list[Row]:
    """CPU seconds until the held-out KL, summed over states, is that of the recipe."""
    corpus = BiosConfig(n_people=100, exposures=10_000, pool_size=20).build(0)
    model = llama(corpus.vocabulary.size, n_layers=6, d_model=128)
    train(model, windows(corpus, 0), n_steps=300)
    held_out = Windows(first(windows(corpus, 9000), _N_HELD_OUT))
    (states,) = StatePool(model, held_out, skip_first=1, seed=0)
    texts = windows(corpus, 1000)
    theirs, lens = _timed(lambda: recipe(model, texts, _N_STEPS))
    target = _kl(lens, states)
    tokens = first(windows(corpus, 5000), _N_WINDOWS)
    for n_steps in _TRIED:
        config = TunedLensConfig(n_steps=n_steps)
        ours, lens = _timed(lambda config=config: TunedLens.fit(model, tokens, config))  # type: ignore[misc]
        if _kl(lens, states) <= target:
            work = "fitting a tuned lens to the KL of the peer's"
            shape = f"6L, d 128, V {corpus.vocabulary.size}, T {SEQ_LEN}"
            peer = f"tuned-lens recipe, SGD, {_N_STEPS} steps"
            return [Row(work, shape, peer, ours, theirs, "CPU-s", is_cost=True)]
    raise RuntimeError(f"{_TRIED[-1]} steps of Muon do not reach a KL of {target}")


def llama(vocabulary_size: int, *, n_layers: int, d_model: int) -> Decoder:
    """A small Llama."""
    config = DecoderConfig(
        n_layers=n_layers,
        n_heads=4,
        d_model=d_model,
        norm=NormKind.rmsnorm,
        mlp=MlpKind.gated_silu,
        mlp_ratio=8 / 3,
        has_bias=False,
        tie_embeddings=False,
    )
    return config.build(vocabulary_size, SEQ_LEN, 0)


def windows(corpus: KnowledgeCorpus, epoch: int) -> Iterator[Tensor]:
    """Windows of the biographies, from an epoch on, without end."""
    for number in itertools.count(epoch):
        tokens = torch.from_numpy(corpus.epoch(number, 0, corpus.n_documents).tokens).long()
        yield from tokens[: len(tokens) // SEQ_LEN * SEQ_LEN].view(-1, SEQ_LEN)


def first(rows: Iterator[Tensor], n: int) -> Tensor:
    """The first windows."""
    return torch.stack(list(itertools.islice(rows, n)))


def train(model: Decoder, rows: Iterator[Tensor], *, n_steps: int) -> None:
    """Train a model for a short time."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(n_steps):
        batch = first(rows, _WINDOWS_PER_STEP)
        optimizer.zero_grad()
        loss = model.loss(batch[:, :-1].contiguous(), batch[:, 1:].contiguous())
        (loss / batch[:, 1:].numel()).backward()
        optimizer.step()
    model.eval()


def recipe(model: Decoder, rows: Iterator[Tensor], n_steps: int) -> TunedLens:
    """A lens by SGD from zero, step by step as `tuned-lens` takes them."""
    d_model = model.config.d_model
    translators = nn.ModuleList(nn.Linear(d_model, d_model) for _ in range(model.n_layers))
    for parameter in translators.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(
        translators.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_steps)
    with frozen(model):
        for _ in range(n_steps):
            _recipe_step(model, translators, first(rows, _WINDOWS_PER_STEP))
            nn.utils.clip_grad_norm_(translators.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            schedule.step()
    weight = torch.stack([layer.weight.T for layer in translators])  # type: ignore[operator]
    return TunedLens(model, weight, torch.stack([layer.bias for layer in translators]))  # type: ignore[arg-type]


def _recipe_step(model: Decoder, translators: nn.ModuleList, batch: Tensor) -> None:
    with torch.no_grad():
        states = model.residuals(batch)
        labels = model.unembed(states[-1]).log_softmax(-1)
    for h, translator in zip(states, translators, strict=False):
        log_q = model.unembed(h + translator(h)).log_softmax(-1)
        torch.sum(labels.exp() * (labels - log_q), dim=-1).mean().backward()


def _kl(lens: TunedLens, states: Tensor) -> float:
    return kl_to_final(lens, states).mean(1).sum().item()


def _timed(fit: Callable[[], TunedLens]) -> tuple[float, TunedLens]:
    began = time.process_time()
    lens = fit()
    return time.process_time() - began, lens
