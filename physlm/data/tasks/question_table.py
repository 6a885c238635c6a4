"""Questions about people as tables, with their answers and the split of people."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from physlm.data.people.questions import N_PARAPHRASES, QuestionCorpus
from physlm.data.tasks.manipulation import ManipulationCorpus

_PEOPLE_PER_BLOCK = 1024

QUESTIONS = pa.schema(
    {
        "split": pa.string(),  # train, or test for held-out people
        "person": pa.int64(),
        "asked": pa.string(),  # the attribute, or the task
        "paraphrase": pa.int16(),
        "question": pa.string(),
        "hint": pa.string(),  # the facts that imply the answer; null if the answer is a fact
        "answer": pa.string(),
    }
)


def question_tables(corpus: QuestionCorpus | ManipulationCorpus) -> Iterator[pa.Table]:
    """All questions about the people of both splits, in blocks.

    The question for each attribute occurs in every paraphrase; a comparison pairs each person with
    the next person of the same split.
    """
    blocks = _attribute_rows(corpus) if isinstance(corpus, QuestionCorpus) else _task_rows(corpus)
    for rows in blocks:
        yield pa.Table.from_pylist(rows, schema=QUESTIONS)


def _attribute_rows(corpus: QuestionCorpus) -> Iterator[list[dict[str, object]]]:
    n_people, n_attributes = corpus.world.n_people, len(corpus.attributes)
    for first in range(0, n_people, _PEOPLE_PER_BLOCK):
        people = np.arange(first, min(first + _PEOPLE_PER_BLOCK, n_people))
        grid = np.meshgrid(people, np.arange(n_attributes), np.arange(N_PARAPHRASES), indexing="ij")
        named, attributes, paraphrases = (numbers.ravel() for numbers in grid)
        yield [
            {
                "split": "train" if corpus.is_trained[person] else "test",
                "person": person,
                "asked": corpus.attributes[attribute],
                "paraphrase": paraphrase,
                "question": question,
                "answer": corpus.answer(person, attribute),
            }
            for person, attribute, paraphrase, question in zip(
                named.tolist(),
                attributes.tolist(),
                paraphrases.tolist(),
                corpus.questions(named, attributes, paraphrases),
                strict=True,
            )
        ]


def _task_rows(corpus: ManipulationCorpus) -> Iterator[list[dict[str, object]]]:
    for task in corpus.tasks:
        for split, people in (("train", corpus.train), ("test", corpus.test)):
            distinct = task.distinct(corpus.fact_table, people)
            pairs = np.stack([distinct, np.roll(distinct, -1)], axis=1)[:, : task.n_people]
            for block in np.split(pairs, range(_PEOPLE_PER_BLOCK, len(pairs), _PEOPLE_PER_BLOCK)):
                items = task.ask(corpus.fact_table, block)
                hints = corpus.texts(items.hint) if items.hint else [None] * len(block)
                columns = (
                    block[:, 0].tolist(),
                    corpus.texts(items.question),
                    hints,
                    corpus.texts(items.answer),
                )
                yield [
                    {
                        "split": split,
                        "person": person,
                        "asked": task.name,
                        "paraphrase": 0,
                        "question": question,
                        "hint": hint,
                        "answer": answer,
                    }
                    for person, question, hint, answer in zip(*columns, strict=True)
                ]
