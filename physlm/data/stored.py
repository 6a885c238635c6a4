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
        hashes, dtype = manifest["sha256"], np.dtype(manifest["dtype"])
        version = manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not a corpus ({error}); generate it again") from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: format_version={version}; must be {FORMAT_VERSION}, so generate it again"
        )
    for name in {*FILES, *hashes}:
        path = folder / name
        if not path.is_file() or sha256_of(path) != hashes.get(name):
            raise InputError(f"{path} is missing, truncated or changed; generate the corpus again")
    starts = np.load(folder / "index.npy", allow_pickle=False)
    return StoredCorpus(manifest, np.memmap(folder / "tokens.bin", dtype=dtype, mode="r"), starts)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
