"""Questions about people as tables, with their answers and who may be trained on."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from physlm.data.people.questions import N_PARAPHRASES, QuestionCorpus
from physlm.data.tasks.manipulation import ManipulationCorpus

_PEOPLE_PER_BLOCK = 1024

QUESTIONS = pa.schema(
    {
        "split": pa.string(),  # train, or test: no question of training names this person
        "person": pa.int64(),
        "asked": pa.string(),  # the attribute, or the task
        "paraphrase": pa.int16(),
        "question": pa.string(),
        "hint": pa.string(),  # what the answer follows from; null where it is a fact itself
        "answer": pa.string(),
    }
)


def question_tables(corpus: QuestionCorpus | ManipulationCorpus) -> Iterator[pa.Table]:
    """All questions about the people of both splits, block by block.

    Every attribute comes in every paraphrase; a comparison pairs each person with the next one of
    the same split.
    """
    blocks = _attribute_rows(corpus) if isinstance(corpus, QuestionCorpus) else _task_rows(corpus)
    for rows in blocks:
        yield pa.Table.from_pylist(rows, schema=QUESTIONS)


def _attribute_rows(corpus: QuestionCorpus) -> Iterator[list[dict[str, object]]]:
    n_people, n_attributes = corpus.world.n_people, len(corpus.attributes)
    for first in range(0, n_people, _PEOPLE_PER_BLOCK):
        people = np.arange(first, min(first + _PEOPLE_PER_BLOCK, n_people))
        grid = np.meshgrid(people, np.arange(n_attributes), np.arange(N_PARAPHRASES), indexing="ij")
        who, attributes, paraphrases = (numbers.ravel() for numbers in grid)
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
                who.tolist(),
                attributes.tolist(),
                paraphrases.tolist(),
                corpus.questions(who, attributes, paraphrases),
                strict=True,
            )
        ]


def _task_rows(corpus: ManipulationCorpus) -> Iterator[list[dict[str, object]]]:
    for task in corpus.tasks:
        for split, people in (("train", corpus.train), ("test", corpus.test)):
            about = task.distinct(corpus.fact_table, people)
            both = np.stack([about, np.roll(about, -1)], axis=1)[:, : task.n_people]
            for block in np.split(both, range(_PEOPLE_PER_BLOCK, len(both), _PEOPLE_PER_BLOCK)):
                items = task.ask(corpus.fact_table, block)
                has_hint = bool(items.hint)
                facts = corpus.texts(items.hint) if has_hint else [None] * len(block)
                columns = (
                    block[:, 0].tolist(),
                    corpus.texts(items.question),
                    facts,
                    corpus.texts(items.answer),
                )
                yield [
                    {
                        "split": split,
                        "person": person,
                        "asked": task.name,
                        "paraphrase": 0,
                        "question": question,
                        "hint": fact,
                        "answer": answer,
                    }
                    for person, question, fact, answer in zip(*columns, strict=True)
                ]
