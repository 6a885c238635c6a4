"""Questions about people as tables, with their answers and who may be trained on."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from physlm.data.bio.manipulation import ManipulationCorpus
from physlm.data.bio.questions import N_PHRASINGS, QuestionCorpus

_PEOPLE_PER_BLOCK = 1024

QUESTIONS = pa.schema(
    {
        "split": pa.string(),  # train, or test: no question of training names this person
        "person": pa.int64(),
        "asked": pa.string(),  # the attribute, or the task
        "phrasing": pa.int16(),
        "question": pa.string(),
        "facts": pa.string(),  # what the answer follows from; null where it is a fact itself
        "answer": pa.string(),
    }
)


def question_tables(corpus: QuestionCorpus | ManipulationCorpus) -> Iterator[pa.Table]:
    """All questions about the people of both splits, block by block.

    Attributes are asked for in every phrasing; in a comparison, each person has the next one of the
    same split beside them.
    """
    blocks = _attribute_rows(corpus) if isinstance(corpus, QuestionCorpus) else _task_rows(corpus)
    for rows in blocks:
        yield pa.Table.from_pylist(rows, schema=QUESTIONS)


def _attribute_rows(corpus: QuestionCorpus) -> Iterator[list[dict[str, object]]]:
    n_people, n_attributes = corpus.world.n_people, len(corpus.attributes)
    for first in range(0, n_people, _PEOPLE_PER_BLOCK):
        people = np.arange(first, min(first + _PEOPLE_PER_BLOCK, n_people))
        grid = np.meshgrid(people, np.arange(n_attributes), np.arange(N_PHRASINGS), indexing="ij")
        who, attributes, phrasings = (numbers.ravel() for numbers in grid)
        yield [
            {
                "split": "train" if corpus.is_trained[person] else "test",
                "person": person,
                "asked": corpus.attributes[attribute],
                "phrasing": phrasing,
                "question": question,
                "answer": corpus.answer(person, attribute),
            }
            for person, attribute, phrasing, question in zip(
                who.tolist(),
                attributes.tolist(),
                phrasings.tolist(),
                corpus.questions(who, attributes, phrasings),
                strict=True,
            )
        ]


def _task_rows(corpus: ManipulationCorpus) -> Iterator[list[dict[str, object]]]:
    for task in corpus.tasks:
        for split, people in (("train", corpus.train), ("test", corpus.test)):
            about = task.distinct(corpus.dossiers, people)
            both = np.stack([about, np.roll(about, -1)], axis=1)[:, : task.n_people]
            for block in np.split(both, range(_PEOPLE_PER_BLOCK, len(both), _PEOPLE_PER_BLOCK)):
                exercise = task.ask(corpus.dossiers, block)
                has_facts = bool(exercise.facts)
                facts = corpus.texts(exercise.facts) if has_facts else [None] * len(block)
                columns = (
                    block[:, 0].tolist(),
                    corpus.texts(exercise.question),
                    facts,
                    corpus.texts(exercise.answer),
                )
                yield [
                    {
                        "split": split,
                        "person": person,
                        "asked": task.name,
                        "phrasing": 0,
                        "question": question,
                        "facts": fact,
                        "answer": answer,
                    }
                    for person, question, fact, answer in zip(*columns, strict=True)
                ]
