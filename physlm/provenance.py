"""What a record says of a run before it is trained: what is computed, with what, and on what."""

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from physlm import __version__
from physlm.changes import changes_of
from physlm.config import RunConfig
from physlm.models.architecture import ModelConfig
from physlm.models.language_model import LanguageModel
from physlm.train.cpu import processor_name

_LIBRARIES = ("torch", "lightning", "numpy", "numba", "hydra-core", "tokenizers")


def facts_of(config: RunConfig, model: LanguageModel, device: str) -> dict[str, Any]:
    """The fields of a record that are known before training.

    Args:
        config: Of the run.
        model: What is trained.
        device: Where, ``cpu`` or ``cuda``.
    """
    return {
        "run_id": config.run_id,
        "experiment": config.experiment,
        "config": config.described(),
        "software": software(config.model),
        "device": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "parameters": {**model.n_parameters(), **_totals(model)},
        "published": dict(config.published),
        "published_of": config.published_of,
        "changed": changes_of(config),
    }


def software(model: ModelConfig) -> dict[str, Any]:
    """Versions of what computes a kind of model, and the revision of our own code."""
    versions = {name: version(name) for name in (*_LIBRARIES, *model.libraries)}
    return {"physlm": __version__, **versions, **_git_revision()}


def _totals(model: LanguageModel) -> dict[str, int]:
    """All parameters, and those that one token is computed with where these are fewer."""
    total, active = sum(model.n_parameters().values()), model.n_active_parameters()
    return {"total": total} if active == total else {"total": total, "active": active}


@cache
def _git_revision() -> dict[str, Any]:
    """The commit that the code was at when this process first asked, where it is a checkout."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return {"git_revision": None, "git_dirty": None}

    def git(*words: str) -> str | None:
        command = ["git", "-C", str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain", "--untracked-files=no")
    return {
        "git_revision": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }


def _processor() -> str:
    name = processor_name()
    return f"{name} ({torch.get_num_threads()} threads)" if name else "cpu"
