"""The arrays of a run on disk, ``arrays.npz``: what its metrics sum up, and figures show."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from physlm.atomic import replacing
from physlm.errors import InputError

Arrays = Mapping[str, np.ndarray]

_DAMAGE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
_REMEDY = "rescore=true measures it again"


def keep_arrays(arrays: Mapping[str, Arrays], path: Path) -> None:
    """Write the arrays of every scorer into one file, as ``SCORER/NAME``.

    A record is written after its arrays. Where a process ends in between, the file has those of one
    scorer more than the record says, and all that the record vouches for by their `digest`.
    """
    flat = {f"{scorer}/{name}": a for scorer, own in arrays.items() for name, a in own.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **flat)


def read_arrays(path: Path, digests: Mapping[str, str]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of the scorers that a record vouches for, to the last bit.

    Args:
        path: Of the file.
        digests: Of the arrays of each scorer, as the record has them.

    Raises:
        InputError: If they are missing, cannot be read, or have changed.
    """
    if not digests:
        return {}
    flat = _read(path)
    found = {scorer: _of(scorer, flat) for scorer in digests}
    for scorer, expected in digests.items():
        if digest(found[scorer]) != expected:
            raise InputError(
                f"{path}: the arrays of eval.{scorer} have changed since they were kept; {_REMEDY}"
            )
    return found


def digest(arrays: Arrays) -> str:
    """A hash of names, types, shapes and values."""
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"{path} is missing; put it back, or {_REMEDY}")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _DAMAGE as error:
        told = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({told}); {_REMEDY}") from error


def _of(scorer: str, flat: Arrays) -> dict[str, np.ndarray]:
    prefix = f"{scorer}/"
    return {n.removeprefix(prefix): a for n, a in flat.items() if n.startswith(prefix)}
