"""Corpora on disk: documents with their truth, and back."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int32, Int64
from rich.console import Console
from rich.progress import track

from physlm.data.bio.assembly import Biographies
from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.errors import InputError

FORMAT_VERSION = 1
_DOCUMENTS_PER_BLOCK = 16_384
_MANIFEST = "manifest.json"
_FILES = ("documents.parquet", "people.parquet", "tokens.bin", "index.npy", "vocabulary.json")


@dataclass(frozen=True, slots=True)
class StoredCorpus:
    """A corpus read back; tokens stay on disk until they are used.

    Attributes:
        manifest: What the corpus is and the hash of every file.
        tokens: All documents end to end, each beginning with end-of-text.
        starts: Document i is ``tokens[starts[i]:starts[i + 1]]``.
    """

    manifest: dict[str, Any]
    tokens: np.ndarray
    starts: Int64[np.ndarray, " documents_1"]


def write_corpus(
    corpus: KnowledgeCorpus, folder: Path, *, n_epochs: int, description: Mapping[str, Any]
) -> Path:
    """Write epochs of a corpus; the folder appears only when it is whole.

    It holds ``documents.parquet`` (epoch, person, text, tokens, and for the name and each attribute
    the token span of its value), ``people.parquet`` (the facts), ``tokens.bin`` with
    ``index.npy`` (flat tokens and where documents start), ``vocabulary.json``, and
    ``manifest.json`` with a hash of each.

    Raises:
        InputError: If the folder exists, or more epochs are asked for than the corpus has.
    """
    if folder.exists():
        raise InputError(f"{folder} exists; choose another output or remove it")
    if not 1 <= n_epochs <= corpus.n_epochs:
        raise InputError(f"epochs={n_epochs}; must be from 1 to data.exposures={corpus.n_epochs}")
    building = folder.with_name(f".{folder.name}.{os.getpid()}.incomplete")
    building.mkdir(parents=True)
    try:
        n_documents, n_tokens = _write_documents(corpus, building, n_epochs)
        _write_people(corpus, building)
        _write_vocabulary(corpus, building)
        hashes = {name: _sha256(building / name) for name in _FILES}
        manifest = {
            "format_version": FORMAT_VERSION, **description, "epochs": n_epochs,
            "documents": n_documents, "tokens": n_tokens, "dtype": _dtype(corpus).str,
            "fingerprint": corpus.fingerprint(), "entropy_bits": corpus.entropy_bits,
            "sha256": hashes,
        }  # fmt: skip
        (building / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def read_corpus(folder: Path) -> StoredCorpus:
    """Open a written corpus after checking every file against its hash.

    Raises:
        InputError: If a file is missing, truncated or changed.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        hashes, dtype = manifest["sha256"], np.dtype(manifest["dtype"])
        version = manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no corpus ({error}); generate it again") from error
    if version != FORMAT_VERSION:
        raise InputError(f"{folder}: format_version={version}, not {FORMAT_VERSION}; generate it")
    for name in _FILES:
        path = folder / name
        if not path.is_file() or _sha256(path) != hashes.get(name):
            raise InputError(f"{path} is missing, truncated or changed; generate the corpus again")
    starts = np.load(folder / "index.npy", allow_pickle=False)
    return StoredCorpus(manifest, np.memmap(folder / "tokens.bin", dtype=dtype, mode="r"), starts)


def _write_documents(corpus: KnowledgeCorpus, folder: Path, n_epochs: int) -> tuple[int, int]:
    lengths: list[Int32[np.ndarray, " documents"]] = []
    schema = _schema(corpus)
    blocks = list(_blocks(corpus, n_epochs))
    with (
        pq.ParquetWriter(folder / "documents.parquet", schema, compression="zstd") as writer,
        (folder / "tokens.bin").open("wb") as flat,
    ):
        shown = track(blocks, "writing documents", console=Console(stderr=True), transient=True)
        for epoch, first, last in shown:
            documents = corpus.epoch(epoch, first, last)
            writer.write_table(_table(corpus, documents, epoch, schema))
            flat.write(documents.tokens.astype(_dtype(corpus)).tobytes())
            lengths.append(np.diff(documents.starts))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    np.save(folder / "index.npy", starts)
    return len(starts) - 1, int(starts[-1])


def _blocks(corpus: KnowledgeCorpus, n_epochs: int) -> Iterator[tuple[int, int, int]]:
    n = corpus.n_documents
    for epoch in range(n_epochs):
        for first in range(0, n, _DOCUMENTS_PER_BLOCK):
            yield epoch, first, min(first + _DOCUMENTS_PER_BLOCK, n)


def _schema(corpus: KnowledgeCorpus) -> pa.Schema:
    spans = [f"{name}_{side}" for name in _spanned(corpus) for side in ("start", "end")]
    return pa.schema(
        [("epoch", pa.int32()), ("person", pa.int64()), ("text", pa.string()),
         ("tokens", pa.list_(pa.int32())), *((name, pa.int32()) for name in spans)]
    )  # fmt: skip


def _spanned(corpus: KnowledgeCorpus) -> list[str]:
    return ["name", *(attribute.name for attribute in corpus.attributes)]


def _table(
    corpus: KnowledgeCorpus, documents: Biographies, epoch: int, schema: pa.Schema
) -> pa.Table:
    contents = [
        documents.tokens[a + 1 : b]
        for a, b in zip(documents.starts[:-1], documents.starts[1:], strict=True)
    ]
    names = np.stack([np.ones(len(documents), np.int32), documents.name_ends], axis=1)
    spans = np.concatenate([names[:, None], documents.value_spans], axis=1)
    columns = [
        pa.array(np.full(len(documents), epoch, np.int32)),
        pa.array(documents.people),
        pa.array([corpus.vocabulary.decode(ids) for ids in contents]),
        pa.ListArray.from_arrays(documents.starts.astype(np.int32), documents.tokens),
        *(pa.array(spans[:, i, j]) for i in range(spans.shape[1]) for j in (0, 1)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _write_people(corpus: KnowledgeCorpus, folder: Path) -> None:
    rows = [{"person": i, **corpus.facts(i)} for i in range(corpus.n_documents)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "people.parquet", compression="zstd")


def _write_vocabulary(corpus: KnowledgeCorpus, folder: Path) -> None:
    vocabulary = corpus.vocabulary
    tokens = [vocabulary.decode(np.array([i], dtype=np.int32)) for i in range(vocabulary.size)]
    content = {"tokens": tokens, "original_ids": vocabulary.original_ids.tolist()}
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def _dtype(corpus: KnowledgeCorpus) -> np.dtype[Any]:
    return np.dtype("<u2" if corpus.vocabulary.size <= 2**16 else "<u4")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
