"""Provenance of a result: code, machine, and changes from the experiment."""

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from physlm import __version__
from physlm.config import RunConfig, composed, config_dir
from physlm.errors import InputError
from physlm.models.architecture import ModelConfig
from physlm.revision import git_revision
from physlm.science import differences, science_of

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

_LIBRARIES = ("torch", "lightning", "numpy", "numba", "hydra-core", "tokenizers")


def facts_of(config: RunConfig, model: "LanguageModel", device: str) -> dict[str, Any]:
    """The fields of a record that are known before training.

    Args:
        config: Of the run.
        model: The model.
        device: ``cpu`` or ``cuda``.
    """
    return {
        "run_id": config.run_id,
        "experiment": config.experiment,
        "config": config.described(),
        "software": software(config.model),
        "device": _hardware(device),
        "parameters": {**model.n_parameters(), **_totals(model)},
        "published": dict(config.published),
        "published_of": config.published_of,
        "changed": changes_of(config),
    }


def changes_of(config: RunConfig) -> dict[str, str] | None:
    """Keys that affect the result and differ from the experiment, at the same scale and seed.

    Returns:
        Key to the run's value and, in brackets, the experiment's; None where there is no experiment
        of that name, or it is not a run without further overrides, such as ``inside``.
    """
    if not (config_dir() / "experiment" / f"{config.experiment}.yaml").is_file():
        return None
    # Without the seed among the overrides, so that a hundred seeds compose the experiment once.
    words = (f"+experiment={config.experiment}", f"scale={config.scale.value}")
    try:
        own = replace(composed(words), seed=config.seed)
    except InputError:
        return None
    if own.run_id == config.run_id:
        return {}
    found = differences(science_of(config.described()), science_of(own.described()))
    return {key: f"{_shown(value)} ({_shown(other)})" for key, (value, other) in found.items()}


def software(model: ModelConfig) -> dict[str, Any]:
    """Versions of the libraries that a model uses, and the git revision of physlm."""
    versions = {name: version(name) for name in (*_LIBRARIES, *model.libraries)}
    return {"physlm": __version__, **versions, **git_revision()}


def _totals(model: "LanguageModel") -> dict[str, int]:
    """Total parameters, and the active ones per token if these are fewer."""
    total, active = sum(model.n_parameters().values()), model.n_active_parameters()
    return {"total": total} if active == total else {"total": total, "active": active}


def _hardware(device: str) -> str:
    import torch  # here: `changes_of` is also called where nothing is computed

    from physlm.train.cpu import processor_name

    if device == "cuda":
        return torch.cuda.get_device_name()
    name = processor_name()
    return f"{name} ({torch.get_num_threads()} threads)" if name else "cpu"


def _shown(value: Any) -> str:
    """As on the command line."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
