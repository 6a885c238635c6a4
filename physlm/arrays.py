"""The arrays of a run on disk, ``arrays.npz``, which its figures are drawn from."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from physlm.archives import unpacked_bytes
from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.memory import require_memory

Arrays = Mapping[str, np.ndarray]

_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,  # an array may state any size
    NotImplementedError,  # of a compression that Python lacks
    RuntimeError,  # of an encrypted file
    zipfile.BadZipFile,
    zlib.error,
)
_REMEDY = "rescore=true measures it again"


def keep_arrays(arrays: Mapping[str, Arrays], path: Path) -> None:
    """Write the arrays of every scorer into one file, as ``SCORER/NAME``.

    A record is written after its arrays. If the process ends in between, the file has the arrays of
    one more scorer than the record, and all arrays whose `digest` is in the record.
    """
    flat = {f"{scorer}/{name}": a for scorer, own in arrays.items() for name, a in own.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **flat)


def read_arrays(path: Path, digests: Mapping[str, str]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each scorer, verified by the digests in the record.

    Args:
        path: The file.
        digests: Digest of the arrays of each scorer, from the record.

    Raises:
        InputError: If they are missing, unreadable, or changed.
    """
    if not digests:
        return {}
    flat = _read(path)
    found = {scorer: _of(scorer, flat) for scorer in digests}
    for scorer, expected in digests.items():
        if digest(found[scorer]) != expected:
            raise InputError(
                f"{path}: the arrays of eval.{scorer} have changed since they were saved; {_REMEDY}"
            )
    return found


def digest(arrays: Arrays) -> str:
    """A hash over names, types, shapes and values."""
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"{path} is missing; restore it, or {_REMEDY}")
    try:
        require_memory({f"{path.name}, unpacked,": unpacked_bytes(path)})
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({reason}); {_REMEDY}") from error


def _of(scorer: str, flat: Arrays) -> dict[str, np.ndarray]:
    prefix = f"{scorer}/"
    return {n.removeprefix(prefix): a for n, a in flat.items() if n.startswith(prefix)}
