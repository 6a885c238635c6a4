"""The weights of a run on disk, which say what run they are of."""

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

_KEY = "physlm"  # of the metadata


class Weights(NamedTuple):
    """Weights on disk.

    Attributes:
        path: Of the file.
        origin: The run that they have to be of, if the file says so.
    """

    path: Path
    origin: Origin


def kept_weights(origin: Origin, directory: RunDirectory) -> Weights:
    """The weights of a trained run, which are as they were kept.

    Args:
        origin: The run, and what it was trained on as the code of today makes it.
        directory: Of the run, which has a record.

    Raises:
        InputError: If the run diverged, that corpus is another one by now, or the weights are
            missing or have changed.
    """
    record = directory.read_record(origin.run_id)
    assert record is not None
    if record.status == "diverged":
        raise InputError(f"{directory.path}, the run to start from, {record.status}")
    if origin.corpus != record.origin.corpus:
        raise InputError(f"{directory.path} was trained on another corpus; run it again")
    return Weights(directory.vouched(directory.model, record), origin)


def keep_weights(model: nn.Module, path: Path, origin: Origin) -> None:
    """Write the weights of a trained model.

    Raises:
        OSError: If there is no room for them.
    """
    metadata = {_KEY: json.dumps(origin._asdict())}
    with replacing(path) as temporary:
        try:
            save_model(model, str(temporary), metadata=metadata)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from error
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """The same weights are the same file: safetensors writes metadata in an order of chance."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        file.seek(8)
        file.write(text.ljust(length))


def load_weights(model: nn.Module, weights: Weights, *, seq_len: int) -> None:
    """Read weights into a model, which was built for windows of so many tokens.

    Raises:
        InputError: If they are of another run, damaged, or of a model of another shape.
    """
    try:
        weights.origin.require(_origin(weights.path), weights.path)
        load_model(model, weights.path)
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{weights.path} are not weights of this model with data.seq_len={seq_len} "
            f"({str(error).splitlines()[-1].strip()})"
        ) from error


def _origin(path: Path) -> Mapping[str, str]:
    """What a file says that it is of; files of earlier versions say nothing."""
    with safe_open(path, framework="pt") as file:
        written = (file.metadata() or {}).get(_KEY, "{}")
    found: dict[str, str] = json.loads(written)
    return found
