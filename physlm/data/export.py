"""Corpora written to disk, with the ground truth of every document."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from jaxtyping import Int32
from rich.console import Console
from rich.progress import track

from physlm.atomic import building
from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.parquet import CfgTables
from physlm.data.corpus import Corpus
from physlm.data.dataset_card import dataset_card
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.parquet import BiographyTables
from physlm.data.stored import FILES, FORMAT_VERSION, MANIFEST, sha256_of
from physlm.data.tasks.parquet import TaskTables
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.errors import InputError

_DOCUMENTS_PER_BLOCK = 16_384

Writable = KnowledgeCorpus | CfgCorpus | TaskCorpus
Tables = BiographyTables | CfgTables | TaskTables


def write_corpus(
    corpus: Writable, folder: Path, *, n_epochs: int, description: Mapping[str, Any]
) -> Path:
    """Write epochs of a corpus to a folder, which appears only when it is complete.

    The folder holds ``documents.parquet`` (each document with its ground truth), the world
    (``people.parquet``, ``rules.parquet`` and ``bags.parquet``, or nothing for a task),
    ``tokens.bin`` with ``index.npy`` (all tokens, and where each document starts),
    ``vocabulary.json``, ``manifest.json`` with a hash of each file, and a dataset card
    (``README.md``), by which ``datasets.load_dataset`` reads the tables.

    Args:
        corpus: The corpus.
        folder: A folder that does not exist yet.
        n_epochs: Epochs to write.
        description: Further entries of the manifest, such as the configuration.

    Raises:
        InputError: If the folder exists, or the corpus has fewer epochs.
    """
    if folder.exists():
        raise InputError(f"{folder} exists; choose another output or remove it")
    if not 1 <= n_epochs <= corpus.n_epochs:
        raise InputError(f"epochs={n_epochs}; must be from 1 to data.exposures={corpus.n_epochs}")
    with building(folder) as temporary:
        tables = _tables(corpus)
        n_documents, n_tokens = _write_documents(tables, corpus, temporary, n_epochs)
        truth = tables.truth()
        for name, table in truth.items():
            pq.write_table(table, temporary / name, compression="zstd")
        _write_vocabulary(corpus, temporary)
        hashes = {name: sha256_of(temporary / name) for name in (*FILES, *truth)}
        manifest = {
            "format_version": FORMAT_VERSION,
            **description,
            "epochs": n_epochs,
            "documents": n_documents,
            "tokens": n_tokens,
            "dtype": _dtype(corpus).str,
            "fingerprint": corpus.fingerprint(),
            "entropy_bits": corpus.entropy_bits,
            "sha256": hashes,
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        card = _card(folder.name, description, manifest, truth)
        (temporary / "README.md").write_text(card, encoding="utf-8")
    return folder


def _card(
    title: str,
    description: Mapping[str, Any],
    manifest: Mapping[str, Any],
    truth: Mapping[str, object],
) -> str:
    """The dataset card: one configuration for the documents, and one for each table of truth."""
    text = f"""\
{manifest["documents"]:,} documents with {manifest["tokens"]:,} tokens, written by physlm: epochs
({manifest["epochs"]}) of a synthetic world of {manifest["entropy_bits"]:,.0f} bits.

`tokens.bin` has the tokens of all documents end to end (`{manifest["dtype"]}`), `index.npy` where
each begins, `vocabulary.json` the text of each token, and `{MANIFEST}` a hash of each file.

```yaml
{yaml.safe_dump(dict(description), sort_keys=False).strip()}
```"""
    names = {"documents": "documents.parquet"}
    return dataset_card(
        title, text, names | {name.removesuffix(".parquet"): name for name in truth}
    )


def _tables(corpus: Writable) -> Tables:
    if isinstance(corpus, TaskCorpus):
        return TaskTables(corpus)
    return CfgTables(corpus) if isinstance(corpus, CfgCorpus) else BiographyTables(corpus)


def _write_documents(
    tables: Tables, corpus: Corpus, folder: Path, n_epochs: int
) -> tuple[int, int]:
    lengths: list[Int32[np.ndarray, " documents"]] = []
    blocks = list(_blocks(corpus, n_epochs))
    with (
        pq.ParquetWriter(folder / "documents.parquet", tables.schema, compression="zstd") as writer,
        (folder / "tokens.bin").open("wb") as flat,
    ):
        shown = track(blocks, "writing documents", console=Console(stderr=True), transient=True)
        for block in shown:
            documents, table = tables.documents(*block)
            writer.write_table(table)
            flat.write(documents.tokens.astype(_dtype(corpus)).tobytes())
            lengths.append(np.diff(documents.starts))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    np.save(folder / "index.npy", starts)
    return len(starts) - 1, int(starts[-1])


def _blocks(corpus: Corpus, n_epochs: int) -> Iterator[tuple[int, int, int]]:
    n = corpus.n_documents
    for epoch in range(n_epochs):
        for first in range(0, n, _DOCUMENTS_PER_BLOCK):
            yield epoch, first, min(first + _DOCUMENTS_PER_BLOCK, n)


def _write_vocabulary(corpus: Corpus, folder: Path) -> None:
    vocabulary = corpus.vocabulary
    tokens = [vocabulary.decode(np.array([i], dtype=np.int32)) for i in range(vocabulary.size)]
    content = {"tokens": tokens, "original_ids": vocabulary.original_ids.tolist()}
    (folder / "vocabulary.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def _dtype(corpus: Corpus) -> np.dtype[Any]:
    return np.dtype("<u2" if corpus.vocabulary.size <= 2**16 else "<u4")
