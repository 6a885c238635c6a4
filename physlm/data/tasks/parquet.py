"""Documents of synthetic tasks as Parquet tables."""

import numpy as np
import pyarrow as pa

from physlm.data.corpus import Documents
from physlm.data.tasks.task_corpus import TaskCorpus


class TaskTables:
    """Tables of documents, with the tokens that are predicted with loss.

    Attributes:
        schema: Columns of the documents.
    """

    def __init__(self, corpus: TaskCorpus) -> None:
        self.corpus = corpus
        self.schema = pa.schema(
            [
                ("epoch", pa.int32()),
                ("document", pa.int64()),
                ("tokens", pa.list_(pa.int32())),
                ("is_target", pa.list_(pa.bool_())),
            ]
        )

    def documents(self, epoch: int, first: int, last: int) -> tuple[Documents, pa.Table]:
        """Documents of an epoch, and the same as a table."""
        documents = self.corpus.epoch(epoch, first, last)
        starts, is_target = documents.starts.astype(np.int32), documents.is_target
        if is_target is None:
            is_target = np.ones(len(documents.tokens), dtype=bool)
        columns = [
            pa.array(np.full(len(documents), epoch, np.int32)),
            pa.array(np.arange(first, last)),
            pa.ListArray.from_arrays(starts, documents.tokens),
            pa.ListArray.from_arrays(starts, pa.array(is_target)),
        ]
        return documents, pa.Table.from_arrays(columns, schema=self.schema)

    def truth(self) -> dict[str, pa.Table]:
        """No tables: every document holds its own truth."""
        return {}
