"""What a run works with: world, model and batches, all of it checked before any compute."""

import math
from dataclasses import dataclass
from typing import Any

from physlm.config import RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import InputError, refused_values
from physlm.inheritance import corpus_of, model_of
from physlm.models.language_model import LanguageModel
from physlm.provenance import facts_of
from physlm.record import Origin
from physlm.train.batches import Batches
from physlm.train.cpu import use_processor


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is measured, all of it checked.

    Attributes:
        device: Where to compute.
        corpus: What is trained on.
        model: What is trained.
    """

    device: str
    corpus: Corpus
    model: LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(World):
    """What a run works with, all of it checked.

    Attributes:
        batches: The corpus in steps.
        is_compiled: Whether training is compiled.
        origin: What the files of the run say that they are of.
        facts: What the record says of the run before it is trained.
    """

    batches: Batches
    is_compiled: bool
    origin: Origin
    facts: dict[str, Any]


def prepare(config: RunConfig) -> Prepared:
    """Build world and model; whatever can be refused is refused here, before any compute."""
    world = build_world(config)
    device, corpus, model = world.device, world.corpus, world.model
    config.trainer.require(device)
    config.logger.require()
    n_parameters = sum(model.n_parameters().values())
    batches = Batches(corpus, config.data.seq_len, config.trainer.batch_size)
    n_tokens = batches.n_tokens()
    _require_steps(config, n_tokens)
    return Prepared(
        device=device,
        corpus=corpus,
        model=model,
        batches=config.runtime.chunked(batches, device, n_parameters, n_tokens),
        is_compiled=config.runtime.is_compiled(device, n_parameters, n_tokens),
        origin=Origin(config.run_id, corpus.fingerprint()),
        facts=facts_of(config, model, device),
    )


def build_world(config: RunConfig) -> World:
    """Where to compute, and corpus and model, which all scorers can measure."""
    device, runtime = config.runtime.resolved_device(), config.runtime
    use_processor(runtime.n_threads, runtime.n_devices)
    with refused_values():
        corpus = corpus_of(config)
        model = model_of(config, corpus.vocabulary.size)
        for scorer in config.eval.values():
            scorer.check(model, corpus)
    return World(device=device, corpus=corpus, model=model)


def _require_steps(config: RunConfig, n_tokens: float) -> None:
    """Training fills at least one batch, and is longer than its parts."""
    n_windows = math.ceil(n_tokens / config.data.seq_len)
    if not n_windows:
        return
    if config.trainer.batch_size > n_windows:
        raise InputError(
            f"trainer.batch_size={config.trainer.batch_size} exceeds the {n_windows} windows of "
            f"{config.data.seq_len} tokens that all of training has; lower it, or train longer"
        )
    n_steps = math.ceil(n_windows / config.trainer.batch_size)
    with refused_values():
        config.optim.require_end_of_warmup(n_steps)
        config.runtime.require_measurements(n_steps)
