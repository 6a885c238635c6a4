"""Strings, derivations and rules as Parquet tables, written and read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Derivations, Strings
from physlm.data.corpus import Documents
from physlm.data.stored import read_corpus


class CfgTables:
    """Tables of strings in the grammar's tokens, with their derivations.

    In corrupted corpora strings have no derivations; the table says which ones are corrupted.

    Attributes:
        schema: Columns of the documents. For every level l, ``ancestor_l`` is the ancestor of each
            token and ``boundary_l`` whether its subtree ends there.
    """

    def __init__(self, corpus: CfgCorpus) -> None:
        self.corpus = corpus
        self.n_levels = len(corpus.grammar.levels)
        self.has_derivations = corpus.config.corrupted_fraction == 0
        columns = [
            ("epoch", pa.int32()),
            ("string", pa.int64()),
            ("is_corrupted", pa.bool_()),
            ("tokens", pa.list_(pa.int32())),
        ]
        if self.has_derivations:
            columns.append(("log_probability_of_derivation", pa.float64()))
            for level in range(1, self.n_levels + 1):
                columns.append((f"ancestor_{level}", pa.list_(pa.int32())))
                columns.append((f"boundary_{level}", pa.list_(pa.bool_())))
        self.schema = pa.schema(columns)

    def documents(self, epoch: int, first: int, last: int) -> tuple[Documents, pa.Table]:
        """Documents of an epoch, with their strings as a table."""
        strings = self.corpus.strings(epoch, first, last, derivations=self.has_derivations)
        starts = strings.starts.astype(np.int32)
        columns = [
            pa.array(np.full(len(strings), epoch, np.int32)),
            pa.array(np.arange(first, last)),
            pa.array(self.corpus.is_corrupted(epoch, first, last)),
            pa.ListArray.from_arrays(starts, strings.tokens),
        ]
        truth = strings.derivations
        if truth is not None:
            columns.append(pa.array(truth.log_probability))
            for level in range(self.n_levels):
                columns.append(pa.ListArray.from_arrays(starts, truth.ancestors[level]))
                columns.append(pa.ListArray.from_arrays(starts, truth.is_boundary[level]))
        table = pa.Table.from_arrays(columns, schema=self.schema)
        return self.corpus.documents(strings), table

    def truth(self) -> dict[str, pa.Table]:
        """Tables of rules and bags, by file name."""
        grammar = self.corpus.grammar
        level_of = {s: n for n, level in enumerate(grammar.levels, start=1) for s in level}
        rules = [
            {
                "level": level_of[symbol],
                "symbol": symbol,
                "name": grammar.rules.name(symbol),
                "expansion": list(expansion),
            }
            for symbol, expansion in grammar.rules
        ]
        tables = {"rules.parquet": pa.Table.from_pylist(rules)}
        if grammar.bags:
            bags = [
                {"terminal": terminal, "token": token, "weight": weight}
                for terminal, bag in grammar.bags.items()
                for token, weight in bag.items()
            ]
            tables["bags.parquet"] = pa.Table.from_pylist(bags)
        return tables


def read_strings(folder: Path | str) -> Strings:
    """The strings of a corpus on disk, with their derivations unless it is corrupted.

    Raises:
        InputError: If a file is missing, truncated or changed.
    """
    read_corpus(folder)
    table = pq.read_table(Path(folder) / "documents.parquet").combine_chunks()
    lengths = table["tokens"].combine_chunks().value_lengths().to_numpy()
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n_levels = sum(name.startswith("ancestor_") for name in table.column_names)
    tokens = _flat(table, "tokens")
    if n_levels == 0:
        return Strings(tokens, starts)
    levels = range(1, n_levels + 1)
    is_boundary = np.stack([_flat(table, f"boundary_{level}") for level in levels])
    return Strings(
        tokens,
        starts,
        Derivations(
            ancestors=np.stack([_flat(table, f"ancestor_{level}") for level in levels]),
            subtrees=_subtrees(is_boundary, starts),
            is_boundary=is_boundary,
            log_probability=table["log_probability_of_derivation"].to_numpy(),
        ),
    )


def _flat(table: pa.Table, name: str) -> np.ndarray:
    values: np.ndarray = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values


def _subtrees(is_boundary: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Number of subtrees of the level that end before each position of its string."""
    upto = is_boundary.cumsum(axis=1) - is_boundary
    of_string = np.repeat(upto[:, starts[:-1]], np.diff(starts), axis=1)
    subtrees: np.ndarray = (upto - of_string).astype(np.int32)
    return subtrees
