"""What a run takes from the run that it starts from: the world, the tokens, the trained model."""

from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model

from physlm.config import RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.models.adapter import Lora, adapted, merged
from physlm.models.inherited import InheritedConfig
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Start:
    """A finished run.

    Attributes:
        corpus: What it was trained on.
        config: How.
        weights: The file of its trained weights.
    """

    corpus: Corpus
    config: RunConfig
    weights: Path


def corpus_of(config: RunConfig) -> Corpus:
    """What a run is trained on; it may follow from the corpus of the run that it starts from.

    Raises:
        ValueError: If the world refuses its configuration, or its tokens are others.
    """
    ancestor = config.ancestor
    if ancestor is None:
        return config.data.build(config.seed)
    return config.data.follow(corpus_of(ancestor.config), config.seed)


def inherited_model(config: RunConfig, start: Start) -> LanguageModel:
    """The trained model of the run to start from, with adapters if these are to be trained.

    Raises:
        InputError: If another architecture is asked for, or the weights are of another model.
    """
    architecture = start.config.architecture
    if not isinstance(config.model, InheritedConfig) and config.model != architecture:
        ours, theirs = asdict(config.model), asdict(architecture)
        name = next(key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key))
        raise InputError(
            f"model.{name}={ours.get(name)}, but the run to start from has {theirs.get(name)}; "
            "use model=inherited"
        )
    seq_len = config.data.seq_len
    model = architecture.build(start.corpus.vocabulary.size, seq_len, config.seed)
    try:
        load_model(model, start.weights)
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{start.weights} are not weights of this model with data.seq_len={seq_len} "
            f"({str(error).splitlines()[-1].strip()})"
        ) from error
    lora = _lora(config)
    if lora is None:
        return model
    assert isinstance(model, Transformer)
    return adapted(model, lora, config.seed)


def finished_model(config: RunConfig, model: LanguageModel) -> LanguageModel:
    """What training came to, as a model of plain weights."""
    if _lora(config) is None:
        return model
    assert isinstance(model, Transformer)
    return merged(model)


def _lora(config: RunConfig) -> Lora | None:
    return config.model.lora if isinstance(config.model, InheritedConfig) else None
