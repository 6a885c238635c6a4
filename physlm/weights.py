"""Weights of a run on disk, with their origin as metadata."""

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import nn

from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.record import Origin
from physlm.run_directory import RunDirectory

_KEY = "physlm"  # in the metadata


class Weights(NamedTuple):
    """Weights on disk.

    Attributes:
        path: The file.
        origin: The expected origin; files of earlier versions do not state theirs.
    """

    path: Path
    origin: Origin


def kept_weights(origin: Origin, directory: RunDirectory) -> Weights:
    """The weights of a trained run, verified by its record.

    Args:
        origin: The run and its training corpus, as the present code generates it.
        directory: The run directory, which has a record.

    Raises:
        InputError: If the run diverged, the corpus differs from the recorded one, or the weights
            are missing or changed.
    """
    record = directory.read_record(origin.run_id)
    assert record is not None
    if record.status == "diverged":
        raise InputError(f"{directory.path}, the parent run, diverged; start from another run")
    if origin.corpus != record.origin.corpus:
        raise InputError(
            f"{directory.path} was trained on another corpus than this version makes; run it again"
        )
    return Weights(directory.vouched(directory.model, record), origin)


def keep_weights(model: nn.Module, path: Path, origin: Origin) -> None:
    """Write the weights of a trained model.

    Raises:
        OSError: If they cannot be written.
    """
    metadata = {_KEY: json.dumps(origin._asdict())}
    with replacing(path) as temporary:
        try:
            save_model(model, str(temporary), metadata=metadata)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from error
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata, which safetensors writes unordered: equal weights give equal files."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        file.seek(8)
        file.write(text.ljust(length))


def load_weights(model: nn.Module, weights: Weights, *, seq_len: int) -> None:
    """Load weights into a model that was built for windows of ``seq_len`` tokens.

    Raises:
        InputError: If they are damaged, or of another run or shape.
    """
    try:
        weights.origin.require(_origin(weights.path), weights.path)
        load_model(model, weights.path)
    except (
        AttributeError,
        RuntimeError,
        SafetensorError,
        UnicodeError,
        json.JSONDecodeError,
    ) as error:
        raise InputError(
            f"{weights.path} are not weights of this model with data.seq_len={seq_len} "
            f"({str(error).splitlines()[-1].strip()})"
        ) from error


def _origin(path: Path) -> Mapping[str, str]:
    """The origin stated in a file; empty in files of earlier versions."""
    with safe_open(path, framework="pt") as file:
        written = (file.metadata() or {}).get(_KEY, "{}")
    found: dict[str, str] = json.loads(written)
    return found
