"""Biographies and people as Parquet tables."""

import numpy as np
import pyarrow as pa

from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.sentences import Biographies


class BiographyTables:
    """Tables of the documents, with the token span of every value, and of the people.

    Attributes:
        schema: Columns of the documents.
    """

    def __init__(self, corpus: KnowledgeCorpus) -> None:
        self.corpus = corpus
        names = ["name", *(attribute.name for attribute in corpus.attributes)]
        spans = [f"{name}_{side}" for name in names for side in ("start", "end")]
        self.schema = pa.schema(
            [
                ("epoch", pa.int32()),
                ("person", pa.int64()),
                ("text", pa.string()),
                ("tokens", pa.list_(pa.int32())),
                *((name, pa.int32()) for name in spans),
            ]
        )

    def documents(self, epoch: int, first: int, last: int) -> tuple[Biographies, pa.Table]:
        """Documents of an epoch, also as a table."""
        documents = self.corpus.epoch(epoch, first, last)
        contents = [
            documents.tokens[a + 1 : b]
            for a, b in zip(documents.starts[:-1], documents.starts[1:], strict=True)
        ]
        spans = np.concatenate([documents.name_spans[:, None], documents.value_spans], axis=1)
        columns = [
            pa.array(np.full(len(documents), epoch, np.int32)),
            pa.array(documents.people),
            pa.array([self.corpus.vocabulary.decode(ids) for ids in contents]),
            pa.ListArray.from_arrays(documents.starts.astype(np.int32), documents.tokens),
            *(pa.array(spans[:, i, j]) for i in range(spans.shape[1]) for j in (0, 1)),
        ]
        return documents, pa.Table.from_arrays(columns, schema=self.schema)

    def truth(self) -> dict[str, pa.Table]:
        """The table of people and their facts, by file name."""
        names = dict.fromkeys(["person", "name", *(a.name for a in self.corpus.attributes)])
        people = range(self.corpus.n_people)
        rows = [{**names, "person": i, **self.corpus.facts(i)} for i in people]
        return {"people.parquet": pa.Table.from_pylist(rows)}
