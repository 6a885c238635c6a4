"""Corpora read from disk, after checking the hash of every file."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from physlm.errors import InputError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DTYPES = ("<u2", "<u4")  # of tokens
FILES = ("documents.parquet", "tokens.bin", "index.npy", "vocabulary.json")


@dataclass(frozen=True, slots=True)
class StoredCorpus:
    """A corpus on disk; its tokens are memory-mapped.

    Attributes:
        manifest: Description of the corpus, and the hash of every file.
        tokens: All documents end to end, each beginning with end-of-text.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
    """

    manifest: dict[str, Any]
    tokens: np.ndarray
    starts: Int64[np.ndarray, " documents_1"]


def read_corpus(folder: Path | str) -> StoredCorpus:
    """Open a written corpus after checking every file against its hash.

    Raises:
        InputError: If a file is missing, truncated or changed.
    """
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes, dtype = dict(manifest["sha256"]), manifest["dtype"]
        version = manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{folder} is not a corpus ({error}); generate it again") from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: format_version={version}; must be {FORMAT_VERSION}, so generate it again"
        )
    if dtype not in DTYPES:  # any other, such as O, might read memory that is not ours
        raise InputError(
            f"{folder}: dtype={str(dtype)[:20]}; must be {' or '.join(DTYPES)}; generate it again"
        )
    for name in {*FILES, *hashes}:
        path = folder / name
        if path.parent != folder:
            raise InputError(f"{folder} lists {name}, which is not in it; generate it again")
        if not path.is_file() or sha256_of(path) != hashes.get(name):
            raise InputError(f"{path} is missing, truncated or changed; generate the corpus again")
    try:
        starts = np.load(folder / "index.npy", mmap_mode="r", allow_pickle=False)
        tokens = np.memmap(folder / "tokens.bin", dtype=dtype, mode="r")
        _require_documents(starts, len(tokens))
    except (ValueError, EOFError, AttributeError, TypeError) as error:
        raise InputError(f"{folder} is not a corpus ({error}); generate it again") from error
    return StoredCorpus(manifest, tokens, np.array(starts))


def _require_documents(starts: np.ndarray, n_tokens: int) -> None:
    """Require that documents follow each other from the first token to the last.

    Raises:
        ValueError: If they do not.
    """
    if starts.dtype != np.int64 or starts.ndim != 1 or len(starts) < 2:
        raise ValueError("index.npy is no list of whole numbers")
    if starts[0] != 0 or starts[-1] != n_tokens or (np.diff(starts) <= 0).any():
        raise ValueError("index.npy does not fit tokens.bin")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
