"""Loading of `transformers` checkpoints: exactly the model's weights, or an error."""

import importlib
import json
import logging
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from physlm.errors import InputError


def require_checkpoint(folder: Path) -> None:
    """Require a self-contained checkpoint folder without code.

    Raises:
        InputError: If it has no ``config.json``, invalid JSON, only pickled weights, code of its
            own, or an adapter to another model.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} has no config.json; give the folder of a checkpoint")
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"{folder} holds an adapter to another model (adapter_config.json); merge it into that "
            "model and give the folder of the merged one"
        )
    for file in sorted(folder.glob("*.json")):
        _require_no_code(file, _json(file))
    if any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors*")):
        raise InputError(
            f"{folder} has pickled weights only (*.bin), which may run code when they are read; "
            "save them as safetensors"
        )


def load_causal_model(folder: Path, dtype: torch.dtype | str) -> Any:
    """The causal model of a folder, with every weight from its files.

    A multimodal model is read whole, and given text alone.

    Args:
        folder: Folder of the checkpoint.
        dtype: Dtype of the weights in memory; ``auto`` is that of the files.

    Raises:
        InputError: If the folder cannot be read, or its weights are not exactly the model's.
    """
    library = transformers()
    require_checkpoint(folder)
    with reading(folder), quiet():
        model, report = _auto_class(library, folder).from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by name
        )
    require_complete(folder, report)
    require_finite(folder, model)
    _require_as_configured(folder, model)
    return model


def _auto_class(library: Any, folder: Path) -> Any:
    """The library's loader: that of multimodal models if the folder names one, else of text.

    Raises:
        InputError: If the library has no causal model of this kind.
    """
    config = library.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    if config.is_encoder_decoder:
        raise InputError(
            f"{folder} holds an encoder and a decoder ({config.model_type}); give a causal model"
        )
    multimodal, causal = library.AutoModelForImageTextToText, library.AutoModelForCausalLM
    kind = multimodal._model_mapping.get(type(config), None)
    if kind is not None and kind.__name__ in (config.architectures or ()):
        return multimodal
    if type(config) not in causal._model_mapping:
        raise InputError(
            f"{folder} holds {config.model_type}, which predicts no next token; give a causal model"
        )
    return causal


def transformers() -> Any:
    """The library, imported on use since that takes seconds.

    Raises:
        InputError: If it is missing, or incompatible with the installed libraries.
    """
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise InputError(
            f"checkpoints need transformers ({error}); pip install 'physlm[transformers]'"
        ) from error


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Context of library calls that read a user's folder.

    Raises:
        InputError: For every error inside: libraries raise errors of all classes over a folder's
            content, and an ImportError for a missing library that it needs.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        text = textwrap.shorten(str(error), 300)
        raise InputError(f"{folder} cannot be read: {type(error).__name__}: {text}") from error


def require_complete(folder: Path, report: Mapping[str, Any]) -> None:
    """Require that no weight is missing, left over or of another shape.

    The library fills missing weights with random numbers, and only warns.

    Args:
        folder: Folder of the checkpoint.
        report: What ``from_pretrained(..., output_loading_info=True)`` returns besides the model.

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


def require_finite(folder: Path, model: torch.nn.Module) -> None:
    """Require that every weight is finite.

    Raises:
        InputError: Naming the folder, the number of weights that are not, and the first of them.
    """
    wrong = [
        name
        for name, weight in model.named_parameters()
        if weight.is_floating_point() and not torch.isfinite(weight).all()
    ]
    if wrong:
        raise InputError(
            f"{folder} has {len(wrong)} weights with NaN or infinity in them, the first is "
            f"{wrong[0]}; save the model as it was before it diverged"
        )


def _require_as_configured(folder: Path, model: Any) -> None:
    """Refuse settings of ``config.json`` that the library drops with a warning."""
    config = model.config.get_text_config()
    method = (getattr(model.config, "quantization_config", None) or {}).get("quant_method")
    if method is not None and getattr(model, "hf_quantizer", None) is None:
        raise InputError(
            f"{folder} is quantised by {method}, which transformers does not know; give the model "
            "without quantisation"
        )
    written = model.get_output_embeddings()
    if getattr(config, "tie_word_embeddings", False) and model._tied_weights_keys and written:
        read = model.get_input_embeddings().weight
        if not torch.equal(read, written.weight):
            raise InputError(
                f"{folder} has two different embedding tables, while its config.json has "
                "tie_word_embeddings=true; set it to false if both are meant"
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of the library and of those that it imports, and its progress bars.

    What the warnings report is checked and refused here.
    """
    say = transformers().logging
    before, had_bars = say.get_verbosity(), say.is_progress_bar_enabled()
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    say.set_verbosity_error()
    say.disable_progress_bar()
    try:
        yield
    finally:
        logging.disable(disabled)
        say.set_verbosity(before)
        if had_bars:
            say.enable_progress_bar()


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON ({error}); copy it again") from error


def _require_no_code(file: Path, content: Any) -> None:
    """Refuse classes of the folder's own, unless the library has them as well."""
    named = content.get("auto_map") if isinstance(content, Mapping) else None
    for value in named.values() if isinstance(named, Mapping) else [named]:
        for place in value if isinstance(value, list) else [value]:
            kind = None if place is None else str(place).rpartition(".")[2]
            if kind is not None and not hasattr(transformers(), kind):
                raise InputError(
                    f"{file} names {kind}, code of its own (auto_map); physlm runs no code from a "
                    "folder, only models that transformers has itself"
                )
