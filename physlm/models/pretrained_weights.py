"""Weights from a folder of `transformers`: all of them, or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from physlm.errors import InputError


def require_checkpoint(folder: Path) -> None:
    """A folder that `transformers` can open.

    Raises:
        InputError: If it has no ``config.json``.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} has no config.json; give the folder of a checkpoint")


def load_pretrained(folder: Path, dtype: torch.dtype | str) -> Any:
    """The causal model of a folder, with every weight as the folder has it.

    Args:
        folder: Of the checkpoint.
        dtype: Of the weights in memory; ``auto`` is that of the files.

    Raises:
        InputError: If the folder cannot be read, or its weights are not exactly the model's.
    """
    from transformers import AutoModelForCausalLM

    require_checkpoint(folder)
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype,
            output_loading_info=True, ignore_mismatched_sizes=True,  # refused below, by name
        )  # fmt: skip
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: {' '.join(str(error).split())}") from error
    require_complete(folder, report)
    return model


def require_complete(folder: Path, report: Mapping[str, Any]) -> None:
    """The weights of a folder are those of its model: none missing, left over or of another shape.

    The library fills what is missing with random numbers, and mentions it.

    Args:
        folder: Of the checkpoint.
        report: What ``from_pretrained(..., output_loading_info=True)`` returns beside the model.

    Raises:
        InputError: Naming the folder, how many weights are wrong, and the first of them.
    """
    shapes = [
        f"{name} with {list(found)} for {list(needed)}"
        for name, found, needed in report["mismatched_keys"]
    ]
    wrong = {
        "lacks {} of the weights that its config.json asks for": report["missing_keys"],
        "has {} weights of another shape than its config.json asks for": shapes,
        "has {} weights that its config.json does not know": report["unexpected_keys"],
    }
    for claim, names in wrong.items():
        if names:
            raise InputError(
                f"{folder} {claim.format(len(names))}, the first is {min(names)}; "
                "save weights and config.json of the same model"
            )
    if report["error_msgs"]:
        raise InputError(f"{folder}: {' '.join(' '.join(report['error_msgs']).split())}")
