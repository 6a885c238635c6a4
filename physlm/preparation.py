"""The corpus, model and batches of a run, checked before any compute."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from physlm.config import RunConfig, Stage
from physlm.data.corpus import Corpus
from physlm.data.files.mquake import FactsCorpus
from physlm.data.files.text_corpus import TextCorpus
from physlm.data.windows import marks_targets
from physlm.errors import InputError, refused_values
from physlm.memory import require_memory
from physlm.models.architecture import ModelConfig, TransformerConfig
from physlm.models.canon import Canon
from physlm.models.inherited import InheritedConfig
from physlm.models.language_model import LanguageModel
from physlm.models.mixers.linear.linear_mixer import use_kernels
from physlm.models.size import n_parameters
from physlm.provenance import facts_of
from physlm.record import Origin
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.cpu import use_processor
from physlm.train.trainer import Precision
from physlm.weights import kept_weights, load_weights

_MOST_DOCUMENTS = 2**62  # of all exposures


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A model and its corpus, checked.

    Attributes:
        device: ``cpu`` or ``cuda``.
        corpus: The training corpus.
        model: The model, trained or not.
        origin: Run id and corpus fingerprint, as recorded in the run's files.
    """

    device: str
    corpus: Corpus
    model: LanguageModel
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(World):
    """Everything that training needs, checked.

    Attributes:
        batches: The corpus in steps.
        is_compiled: Whether training is compiled.
        facts: The fields of the record that are known before training.
    """

    batches: Batches
    is_compiled: bool
    facts: dict[str, Any]


def prepare(config: RunConfig, *, is_started: bool = False) -> Prepared:
    """Build everything that training needs; every input is checked here.

    Args:
        config: Of the run.
        is_started: Whether to load the weights of its parent, which must be trained.
    """
    world = build_world(config, is_started=is_started)
    device, corpus = world.device, world.corpus
    if config.runtime.kernels:
        use_kernels(world.model, device)
    config.trainer.require(device)
    config.logger.require()
    batches = Batches(
        corpus, config.data.seq_len, config.trainer.batch_size, packing=config.data.packing
    )
    n_tokens = batches.n_tokens()
    _require_countable(config, corpus)
    _require_steps(config, n_tokens)
    facts = facts_of(config, world.model, device)
    n_trained = facts["parameters"]["total"]
    return Prepared(
        device=device,
        corpus=corpus,
        model=world.model,
        origin=world.origin,
        batches=config.runtime.chunked(batches, device, n_trained, n_tokens),
        is_compiled=config.runtime.is_compiled(device, n_trained, n_tokens)
        and not _is_miscompiled(config, world),
        facts=facts,
    )


def _is_miscompiled(config: RunConfig, world: World) -> bool:
    """Whether the compiler gets the training of this model wrong.

    On CPUs, torch 2.13 compiles Canon layers in bf16 that keep documents apart into a program with
    the right loss, but NaN gradients; uncompiled they are right.

    Raises:
        InputError: If compiling is requested nevertheless.
    """
    is_wrong = (
        world.device == "cpu"
        and config.trainer.precision is Precision.bf16
        and not config.data.attention_across_documents
        and any(isinstance(module, Canon) for module in world.model.modules())
    )
    if is_wrong and config.runtime.compile:
        raise InputError(
            "runtime.compile=true on a CPU with trainer.precision=bf16, Canon layers and "
            "data.attention_across_documents=false gives NaN gradients; change one of them"
        )
    return is_wrong


def build_world(config: RunConfig, *, is_started: bool = False) -> World:
    """The device, corpus and model of a run, accepted by every scorer.

    Args:
        config: Of the run.
        is_started: Whether to load the weights of its parent, which must be trained.

    Raises:
        InputError: If a value is refused, or the parent diverged, its corpus differs in this
            version, or its weights have changed.
    """
    device, runtime, parent = config.runtime.resolved_device(), config.runtime, config.parent
    use_processor(runtime.n_threads, runtime.n_devices)
    with refused_values():
        _require_room(config, _architecture(config), vocabulary_size=0)  # building takes longer
        *earlier, corpus = corpora_of(config)
        model = model_of(config, _vocabulary_size(config, corpus))
        if is_started and parent is not None:
            start = Origin(parent.config.run_id, earlier[-1].fingerprint())
            weights = kept_weights(start, RunDirectory(parent.run_dir))
            load_weights(model, weights, seq_len=config.data.seq_len)
        _require_targets(model, corpus)
        _require_words(model, corpus)
        model = config.model.to_train(model, config.seed)
        for scorer in config.eval.values():
            scorer.check(model, corpus)
    origin = Origin(config.run_id, corpus.fingerprint())
    return World(device=device, corpus=corpus, model=model, origin=origin)


def trained_world(config: RunConfig, directory: RunDirectory) -> World:
    """A run that was trained before, with its saved weights.

    Raises:
        InputError: As in `build_world`, or if the weights belong to another run or model.
    """
    world = build_world(config, is_started=config.stage is Stage.measure)
    if config.stage is Stage.measure:
        model = config.model.to_measure(world.model)
    else:
        seq_len = config.data.seq_len
        model = config.architecture.build(world.corpus.vocabulary.size, seq_len, config.seed)
        load_weights(model, kept_weights(world.origin, directory), seq_len=seq_len)
    return replace(world, model=model.to(world.device).eval())


def corpus_of(config: RunConfig) -> Corpus:
    """The training corpus of a run, which may depend on that of its parent."""
    return corpora_of(config)[-1]


def corpora_of(config: RunConfig) -> list[Corpus]:
    """The training corpora of a run's ancestors, oldest first, and its own.

    Raises:
        ValueError: If a world refuses its configuration, or its tokens differ from its parent's.
    """
    if config.parent is None:
        return [config.data.build(config.seed)]
    earlier = corpora_of(config.parent.config)
    run_dir = config.parent.run_dir
    return [*earlier, config.data.follow_run(earlier[-1], config.seed, run_dir)]


def _require_targets(model: LanguageModel, corpus: Corpus) -> None:
    """A masked model predicts tokens that it chooses itself, not those that a corpus marks.

    Raises:
        InputError: If the corpus marks its targets, and the model is masked.
    """
    if not model.is_causal and marks_targets(corpus):
        raise InputError(
            "this model predicts masked tokens, and this corpus marks the tokens to "
            "be predicted; use a decoder, such as model=gpt2"
        )


def _require_words(model: LanguageModel, corpus: Corpus) -> None:
    """A checkpoint whose tokenizer has only some words reads texts and facts made of these.

    Raises:
        InputError: If another word occurs.
    """
    if model.text is None:
        return
    if isinstance(corpus, TextCorpus):
        model.text.require_words(corpus.all_texts)
    elif isinstance(corpus, FactsCorpus):
        model.text.require_words(f"{fact.prompt} {fact.answer}" for fact in corpus.facts)


def _vocabulary_size(config: RunConfig, corpus: Corpus) -> int:
    """Number of tokens that the corpus gives a model; none to one with its own tokenizer."""
    return 0 if config.model.is_published else corpus.vocabulary.size


def model_of(config: RunConfig, vocabulary_size: int) -> LanguageModel:
    """The model that a run trains, before adapters and the weights of its parent.

    Args:
        config: Of the run.
        vocabulary_size: Number of tokens.

    Raises:
        InputError: If the architecture differs from that of the parent.
        ValueError: If the architecture refuses its configuration, or it does not fit into memory.
    """
    architecture = _architecture(config)
    _require_room(config, architecture, vocabulary_size)
    return architecture.build(vocabulary_size, config.data.seq_len, config.seed)


def _architecture(config: RunConfig) -> ModelConfig:
    """The architecture before adapters; it must equal that of the parent."""
    if config.parent is None:
        return config.model
    architecture = config.parent.config.architecture
    if not isinstance(config.model, InheritedConfig) and config.model != architecture:
        ours, theirs = asdict(config.model), asdict(architecture)
        name = next(key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key))
        raise InputError(
            f"model.{name}={ours.get(name)}, but the parent run has {theirs.get(name)}; "
            "use model=inherited"
        )
    return architecture


def _require_room(config: RunConfig, architecture: ModelConfig, vocabulary_size: int) -> None:
    """Memory for the weights, their gradients and AdamW's two moments, and a step's activations.

    Raises:
        ValueError: If they do not fit into memory.
    """
    if not isinstance(architecture, TransformerConfig):
        return
    n, d = architecture.n_layers, architecture.d_model
    size = sum(n_parameters(architecture, vocabulary_size, config.data.seq_len).values())
    parts = {f"a model of {size} parameters (model.n_layers={n}, model.d_model={d})": 4 * size}
    if config.stage is Stage.train and config.runtime.resolved_device() == "cpu":
        ranks = config.runtime.n_devices * config.trainer.gradient_accumulation_steps
        n_tokens = config.trainer.batch_size * config.data.seq_len // ranks
        name = f"trainer.batch_size={config.trainer.batch_size} of seq_len={config.data.seq_len}"
        is_adapted = isinstance(config.model, InheritedConfig) and config.model.lora is not None
        n_kept = 1 if is_adapted else 4
        parts = {part: n_kept * n_bytes for part, n_bytes in parts.items()}
        parts[name] = 2 * n_tokens * d * n
    require_memory(parts)


def _require_countable(config: RunConfig, corpus: Corpus) -> None:
    """Positions in the corpus count documents in 64 bits."""
    if corpus.n_documents * corpus.n_epochs > _MOST_DOCUMENTS:
        raise InputError(
            f"data.exposures={config.data.exposures} of {corpus.n_documents} documents; must be "
            f"at most {_MOST_DOCUMENTS} documents in all, lower one of them"
        )


def _require_steps(config: RunConfig, n_tokens: float) -> None:
    """Training fills at least one batch, and is longer than its warm-up and evaluation interval."""
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
        config.runtime.require_room(n_steps, config.trainer.batch_size * config.data.seq_len)
        config.optim.require_end_of_warmup(n_steps)
        config.runtime.require_measurements(n_steps)
