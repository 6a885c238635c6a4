"""What a run takes from the run that it starts from: the world, the tokens, the trained model."""

from dataclasses import asdict

from physlm.config import Parent, RunConfig, Stage
from physlm.data.corpus import Corpus
from physlm.errors import InputError, refused_values
from physlm.memory import require_memory
from physlm.models.architecture import ModelConfig, TransformerConfig
from physlm.models.inherited import InheritedConfig
from physlm.models.language_model import LanguageModel
from physlm.models.size import n_parameters
from physlm.run_directory import RunDirectory
from physlm.weights import Weights, kept_weights, load_weights


def corpus_of(config: RunConfig) -> Corpus:
    """What a run is trained on; it may follow from the corpus of the run that it starts from.

    Raises:
        ValueError: If the world refuses its configuration, or its tokens are others.
    """
    if config.parent is None:
        return config.data.build(config.seed)
    return config.data.follow(corpus_of(config.parent.config), config.seed)


def started_model(
    config: RunConfig, parent: Parent, directory: RunDirectory, vocabulary_size: int
) -> LanguageModel:
    """The model that a run trains, with the weights of the run that it starts from.

    Args:
        config: Of the run.
        parent: The run that it starts from, which has come to its end.
        directory: Of that run.
        vocabulary_size: Number of tokens.

    Raises:
        InputError: If that run diverged, was made by other code, or its weights have changed.
    """
    record = directory.read_record(parent.config.run_id)
    assert record is not None
    with refused_values():
        weights = kept_weights(record, corpus_of(parent.config).fingerprint(), directory)
    return model_of(config, vocabulary_size, weights=weights)


def model_of(
    config: RunConfig, vocabulary_size: int, *, weights: Weights | None = None
) -> LanguageModel:
    """The model that a run trains, with adapters if these are to be trained.

    Args:
        config: Of the run.
        vocabulary_size: Number of tokens.
        weights: Those that it starts from; without them they are drawn.

    Raises:
        InputError: If another architecture than that of the run to start from is asked for, it
            cannot be adapted, or the weights are of another model.
        ValueError: If the architecture refuses its configuration.
    """
    seq_len = config.data.seq_len
    architecture = _architecture(config)
    _require_room(config, architecture, vocabulary_size)
    model = architecture.build(vocabulary_size, seq_len, config.seed)
    if weights is not None:
        load_weights(model, weights, seq_len=seq_len)
    return config.model.to_train(model, config.seed)


def _require_room(config: RunConfig, architecture: ModelConfig, vocabulary_size: int) -> None:
    """The weights, if all are trained their gradients and AdamW's two means, and a step's states.

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


def _architecture(config: RunConfig) -> ModelConfig:
    """Of the model before adapters; one given in full is that of the run to start from."""
    if config.parent is None:
        return config.model
    architecture = config.parent.config.architecture
    if not isinstance(config.model, InheritedConfig) and config.model != architecture:
        ours, theirs = asdict(config.model), asdict(architecture)
        name = next(key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key))
        raise InputError(
            f"model.{name}={ours.get(name)}, but the run to start from has {theirs.get(name)}; "
            "use model=inherited"
        )
    return architecture


def kept_model(config: RunConfig, vocabulary_size: int, weights: Weights) -> LanguageModel:
    """What a run's training came to, as its weights were kept.

    Raises:
        InputError: If the weights are of another run or model.
    """
    seq_len = config.data.seq_len
    model = config.architecture.build(vocabulary_size, seq_len, config.seed)
    load_weights(model, weights, seq_len=seq_len)
    return model
