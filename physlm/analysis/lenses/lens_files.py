"""Files of tuned lenses, in the layout of the package `tuned-lens`.

A folder has ``config.json`` and the parameters of one linear layer per state, ``0.weight``,
``0.bias`` and so on, whose weights are transposes of W. Ours are in ``params.safetensors``, which
also states the model exactly; theirs are in ``params.pt``.
"""

import hashlib
import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from physlm.archives import is_sound
from physlm.atomic import replacing, write_text
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel

_KIND = "linear_tuned_lens"
_HEAD = "unembedding_sha256"
_SEAL = "parameters_sha256"  # in the metadata; files of earlier versions have none


def write_lens(
    model: LanguageModel,
    weight: Float[Tensor, "states width width"],
    bias: Float[Tensor, "states width"],
    folder: Path,
    *,
    model_name: str,
    model_revision: str | None,
    has_pickle: bool,
) -> None:
    """Write the translators of a model.

    Args:
        model: The model that they were fitted on.
        weight: W of states 0 to L - 1.
        bias: b of states 0 to L - 1.
        folder: Gets the files.
        model_name: Name or path of the model, for readers of the file.
        model_revision: Its revision.
        has_pickle: Also write ``params.pt``.
    """
    parameters = {}
    for k in range(len(weight)):
        parameters[f"{k}.weight"] = weight[k].T.contiguous().cpu()
        parameters[f"{k}.bias"] = bias[k].contiguous().cpu()
    with replacing(folder / "params.safetensors") as temporary:
        stated = {_HEAD: _exact_hash(model), _SEAL: _seal(parameters)}
        save_file(parameters, temporary, metadata=dict(sorted(stated.items())))
    if has_pickle:
        with replacing(folder / "params.pt") as temporary:
            torch.save(parameters, temporary)
    config = {
        "base_model_name_or_path": model_name,
        "d_model": weight.shape[-1],
        "num_hidden_layers": len(weight),
        "bias": True,
        "base_model_revision": model_revision,
        "unembed_hash": printed_hash(model.output_weight),
        "lens_type": _KIND,
    }
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")


class LensFile(NamedTuple):
    """A lens as it was read.

    Attributes:
        folder: Where it was read.
        weight: W of states 0 to L - 1.
        bias: b of states 0 to L - 1.
        config: The content of ``config.json``.
        exact_hash: Hash of the output head of its model; None in files of `tuned-lens`.
    """

    folder: Path
    weight: Float[Tensor, "states width width"]
    bias: Float[Tensor, "states width"]
    config: Mapping[str, Any]
    exact_hash: str | None

    def require_model(self, model: LanguageModel) -> None:
        """Require the output head of the model that the lens was fitted on.

        Raises:
            InputError: If the model has another output head.
        """
        stated, own = self.exact_hash, _exact_hash(model)
        if stated is None:
            stated, own = self.config.get("unembed_hash"), printed_hash(model.output_weight)
        if stated is not None and stated != own:
            name = self.config.get("base_model_name_or_path")
            raise InputError(
                f"{self.folder} is the lens of another model ({name!r}): its output head differs; "
                "fit a lens of this model, or load it with allows_other_model=True"
            )


def read_lens(folder: Path) -> LensFile:
    """The translators in a folder.

    Raises:
        InputError: If the folder holds no lens of states 0 to L - 1.
    """
    config = _config(folder)
    parameters, exact_hash = _parameters(folder)
    numbers = range(_n_states(folder, config, parameters))
    weights = [parameters[f"{k}.weight"].T for k in numbers]
    if config.get("bias", True):
        biases = [parameters[f"{k}.bias"] for k in numbers]
    else:
        biases = [torch.zeros_like(weight[0]) for weight in weights]
    width = config.get("d_model")
    for k, weight, bias in zip(numbers, weights, biases, strict=True):
        if weight.shape != (width, width) or bias.shape != (width,):
            raise InputError(
                f"{folder}: {k}.weight has shape {tuple(weight.shape)}, and config.json has "
                f"d_model={width}; copy it again"
            )
    return LensFile(folder, torch.stack(weights), torch.stack(biases), config, exact_hash)


def printed_hash(weight: Float[Tensor, "vocab width"]) -> str:
    """The hash by which `tuned-lens` names the output head of a model.

    It hashes the head as NumPy prints it, abbreviated, to one decimal: different heads may share a
    hash.
    """
    array = weight.detach().cpu().float().numpy()
    with np.printoptions(threshold=1000, edgeitems=3, linewidth=75, suppress=False):
        return hashlib.sha256(np.array_str(array, precision=1).encode()).hexdigest()


def _exact_hash(model: LanguageModel) -> str:
    array = model.output_weight.detach().cpu().float().contiguous().numpy()
    return hashlib.sha256(array.tobytes()).hexdigest()


def _config(folder: Path) -> Mapping[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{folder} has no config.json; give the folder of a tuned lens")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not JSON ({error}); copy it again") from error
    kind = config.get("lens_type", _KIND) if isinstance(config, dict) else None
    if kind != _KIND:
        raise InputError(f"{file} has lens_type={kind}; only {_KIND} can be read")
    return config  # type: ignore[no-any-return]


def _parameters(folder: Path) -> tuple[dict[str, Tensor], str | None]:
    """The parameters by key, and the exact hash of the output head if the file states it."""
    safe, pickled = folder / "params.safetensors", folder / "params.pt"
    if not safe.is_file() and not pickled.is_file():
        raise InputError(f"{folder} has neither params.safetensors nor params.pt; copy it again")
    if not safe.is_file():
        require_sound(pickled)
    try:
        parameters, stated = _safe(safe) if safe.is_file() else (_pickled(pickled), {})
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{pickled} needs pickle, which may run code when it is read; give params.safetensors"
        ) from error
    except (
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        SafetensorError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(f"{folder}: parameters cannot be read ({error}); copy it again") from error
    is_damaged = _HEAD in stated and not stated.keys() <= {_HEAD, _SEAL}  # one was the seal's
    if is_damaged or stated.get(_SEAL, seal := _seal(parameters)) != seal:
        raise InputError(f"{safe} has changed since it was written; copy it again")
    return parameters, stated.get(_HEAD)


def _safe(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Tensors and metadata of a safetensors file."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _pickled(path: Path) -> dict[str, Tensor]:
    """Tensors of a file of torch.

    Raises:
        TypeError: If it holds anything else.
    """
    found = dict(loaded(path))
    if not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise TypeError("not only tensors")
    return found


def loaded(path: Path) -> Any:
    """The content of a file of torch, without its warnings about pickles that it refuses anyway.

    Raises:
        pickle.UnpicklingError: If it holds more than tensors and plain values.
        RuntimeError: If it is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, weights_only=True, map_location="cpu")


def require_sound(path: Path) -> None:
    """Require that a file of torch is whole, and no larger in memory than on disk.

    Raises:
        InputError: If it is damaged or compressed.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":  # the format of torch before 1.6, without checksums
            return
    try:
        is_whole = is_sound(path)
    except zipfile.BadZipFile:
        is_whole = False
    if not is_whole:
        raise InputError(f"{path} is damaged or compressed; copy it again")


def _seal(parameters: Mapping[str, Tensor]) -> str:
    """A hash over the names, types, shapes and values of parameters."""
    found = hashlib.sha256()
    for name, tensor in sorted(parameters.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _n_states(folder: Path, config: Mapping[str, Any], parameters: Mapping[str, Tensor]) -> int:
    """Number of states, 0 to n - 1, whose translators are all there."""
    n = config.get("num_hidden_layers")
    if type(n) is not int or not 1 <= n <= len(parameters):
        raise InputError(
            f"{folder}/config.json has num_hidden_layers={n}; must be from 1 to "
            f"the {len(parameters)} parameters"
        )
    kinds = ("weight", "bias") if config.get("bias", True) else ("weight",)
    expected = {f"{k}.{kind}" for k in range(n) for kind in kinds}
    if set(parameters) != expected:
        wrong = sorted(set(parameters) ^ expected)
        raise InputError(
            f"{folder} must have the states 0 to {n - 1}: {wrong[0]} is missing or unexpected; "
            "copy it again"
        )
    return n
