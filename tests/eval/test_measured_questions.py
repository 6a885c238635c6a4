"""The questions that scorers measure stay what they were, whatever tasks and splits are called.

The digests are those of the code before tasks and splits were renamed. A change that fails here
measures other questions: raise the version of the scorer.
"""

import hashlib

import numpy as np
import pytest

from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.eval.people.qa import QaConfig
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.eval.tasks.questions import most_common, questions_of, splits
from tests.data.test_fingerprints import SEED, bios

# Per task, a digest of the questions of both splits, and the most common training answer.
MEASURED = {
    "birth_month_ranking": ("a9acbbcdc665d341", "No"),
    "birth_month_subtraction": ("59fac7863087b11c", "1"),
    "major_rank_ranking": ("e4ab1d51f6e6ffcf", "No"),
    "major_rank_subtraction": ("275ea340e62afc03", "2"),
    "first_name_from_all": ("62d84055f12872ec", "Felicia"),
}
SAMPLED = {TRAIN_PEOPLE: "dd01d669439b1a48", HELD_OUT_PEOPLE: "d380839b57eba6dd"}


@pytest.fixture(scope="module")
def people():
    return bios().build(SEED)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def test_tasks_measure_the_same_pairs_of_people_and_have_the_same_chance(people):
    corpus = ManipulationConfig(tasks=list(MEASURED)).follow(people, SEED)
    found = {}
    for task in corpus.tasks:
        texts = [
            text
            for split, who in splits(task, corpus)
            for text in corpus.texts(questions_of(task, corpus, who, split, 40).question)
        ]
        found[task.name] = (digest("\n".join(texts).encode()), most_common(task, corpus))
    assert found == MEASURED


def test_qa_measures_the_same_sample_of_people(people):
    corpus = QuestionsConfig().follow(people, SEED)
    scorer = QaConfig(max_people=20)
    found = {
        split: digest(scorer.people(corpus, split).astype(np.int64).tobytes()) for split in SAMPLED
    }
    assert found == SAMPLED
