"""Worlds stay the same bit for bit, whatever is registered later.

The numbers are those of the code before the vocabulary of questions had versions. A change that
fails here makes other people of every finished run, and other texts: give it a key of its own.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pytest

from physlm.data.mixture import Mixture
from physlm.data.people.augmentation import AugmentationConfig, Order, Subject
from physlm.data.people.biod import BiodConfig
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.fact_table import NUMBERS, major_rank
from physlm.data.people.junk import JunkConfig
from physlm.data.people.mixed import MixedConfig
from physlm.data.people.question_vocabulary import VERSIONS, keys_for
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.manipulation_tasks import task_words, tasks
from physlm.data.tasks.task import QaItems, Task
from physlm.data.tokens import TokenizerName

N, SEED = 300, 3
TOKENIZERS = {"gpt2": TokenizerName.gpt2, "compact": TokenizerName.compact}


def bios(tokenizer="compact", **values):
    return BiosConfig(
        **{
            "n_people": N,
            "include_question_vocabulary": True,
            "tokenizer": TOKENIZERS[tokenizer],
            **values,
        }
    )


def bior(tokenizer="compact", **values):
    return BiorConfig(n_people=N, tokenizer=TOKENIZERS[tokenizer], **values)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def digest_of_tokens(corpus):
    tokens = corpus.epoch(1, 0, min(500, corpus.n_documents)).tokens
    return digest(tokens.astype(np.int64).tobytes())


# A world, its fingerprint, and a digest of the tokens of documents of one epoch.
GPT2 = [
    (bios("gpt2"), "2afc3d19958f11a4", "eccf585248ee90b1"),
    (
        bior("gpt2", include_question_vocabulary=True, n_texts=2),
        "7148707a40521c15",
        "1db0eb83e815f276",
    ),
    (BiodConfig(n_people=N, tokenizer=TOKENIZERS["gpt2"]), "14beb1f51926bddb", "e977898a33127de6"),
]
COMPACT = [
    (bios(), "ae90b75224473565", "1f4eeaf9a93a40a4"),
    (bios(include_question_vocabulary=False), "ffbc4d54d4236b40", "fd6287838867c7fc"),
    (bios(pool_size=20), "92a4c32d0dc2069e", "1d92013655a977f1"),
    (bior(include_question_vocabulary=True, n_texts=2), "4dab8c43ec597c75", "bbb32eaaee1f5ea8"),
    (bior(subject=Subject.full_name), "4f04aae0b2021b54", "50df760716656163"),
    (
        BiodConfig(n_people=N, tokenizer=TOKENIZERS["compact"]),
        "5b085469d233757e",
        "5f540ea1f17bb4c0",
    ),
    (
        bios(
            n_people=200,
            n_minority=100,
            majority_repeats=5,
            augmentation=AugmentationConfig(n_paraphrases=5),
            minority_augmentation=AugmentationConfig(n_paraphrases=1, order=Order.coupled),
        ),
        "5a178a74e627a752",
        "62fec0f50c86eab0",
    ),
    (
        bios(
            augmentation=AugmentationConfig(
                n_paraphrases=1, second_language=True, omits_company_city=True
            )
        ),
        "860133151fa14213",
        "2c60b4ab76522f6b",
    ),
    (
        bios(augmentation=AugmentationConfig(n_paraphrases=2, n_permutations=2, name_position=6)),
        "c86f252c152dcedc",
        "2b766a04b0432e15",
    ),
    (bios(frequencies=[1, 3]), "c46f6a3267ec4fc4", "4c346ec7860ec084"),
    (
        JunkConfig(target=bios(), domain_token="<|useful|>", n_junk_people=5000),
        "a9484d56c92e1fb0",
        "11167dd84575484b b3adc8dd51a43655",
    ),
    (MixedConfig(biographies=bios()), "abe2c228e9328211", "1f4eeaf9a93a40a4 2561360dd1cc7d37"),
]

# The same for every task of the first vocabulary on the people of bios, and for born_in_year.
TASKS = [
    "birth_day",
    "birth_year",
    "birth_city_then_employer",
    "employer_then_birth_city",
    "university_then_major",
    "major_then_university",
    "company_city_then_employer",
    "employer_then_company_city",
    "city_of_employer",
    "birth_month_mod_2",
    "birth_month_mod_6",
    "birth_month_mod_12",
    "birth_month_ranking",
    "birth_month_subtraction",
    "major_rank_mod_5",
    "major_rank_mod_20",
    "major_rank_mod_100",
    "major_rank_ranking",
    "major_rank_subtraction",
    "first_name_from_birth_date",
    "full_name_from_birth_date",
    "first_name_from_date_and_city",
    "full_name_from_date_and_city",
    "first_name_from_three",
    "full_name_from_three",
    "first_name_from_four",
    "full_name_from_four",
    "first_name_from_all",
    "full_name_from_all",
]
MANIPULATION = ("140c656a01a48fd3", "97221b679dcbb450")
BORN_IN_YEAR = ("bb001aedc0d69575", "81b96fa32a24915b")
QUESTIONS = ("ffc7941670229ce5", "de849ea6f931e3dd")

# The lists that are drawn from: one more name, template or form changes every draw.
LISTS = {
    "pools": "dad45096bb81b80a",
    "templates": "aa5e56e9d5f7dd1c",
    "templates_french": "f383136cd73f7643",
    "questions": "971e9112c126b9b3",
    "discourse": "dffe12b745f23a12",
    "question_words": "f5b6fd8b7c03d5e7",
}
MAJOR_RANKS = "ec064838c0d4a0af"


def built_again(worlds):
    """The same configurations with their current fingerprints and digests."""
    found = []
    for config, _, _ in worlds:
        world = config.build(SEED)
        parts = world.parts if isinstance(world, Mixture) else [world]
        digests = " ".join(map(digest_of_tokens, parts))
        found.append((config, world.fingerprint()[:16], digests))
    return found


def test_worlds_of_people_have_not_changed_since_the_first_results():
    assert built_again([*GPT2, *COMPACT]) == [*GPT2, *COMPACT]


def test_questions_have_not_changed_since_the_first_results():
    people = bios().build(SEED)
    questions = QuestionsConfig(n_paraphrases=3).follow(people, SEED)
    assert (questions.fingerprint()[:16], digest_of_tokens(questions)) == QUESTIONS
    for config, expected in (
        (ManipulationConfig(tasks=TASKS, hint_fraction=0.5), MANIPULATION),
        (ManipulationConfig(tasks=["born_in_year"]), BORN_IN_YEAR),
    ):
        corpus = config.follow(people, SEED)
        assert (corpus.fingerprint()[:16], digest_of_tokens(corpus)) == expected


@pytest.mark.parametrize("folder", LISTS)
def test_the_lists_that_people_and_texts_are_drawn_from_are_frozen(folder):
    found = sorted((files("physlm.data.people") / folder).iterdir(), key=lambda file: file.name)
    assert (
        digest(b"".join(f.name.encode() + b"\0" + f.read_bytes() for f in found)) == LISTS[folder]
    )


def test_major_ranks_are_frozen():
    assert digest(repr(major_rank()).encode()) == MAJOR_RANKS


def test_a_version_of_the_vocabulary_has_the_words_of_every_task():
    for task in tasks().values():
        assert keys_for([*task_words(task), *NUMBERS]).startswith(
            "data.include_question_vocabulary=true"
        )


@dataclass(frozen=True)
class Zodiac(Task):
    """A task that was registered later."""

    def ask(self, fact_table, people):
        named = people[:, 0]
        before, after = (fact_table.words(text, named) for text in self.texts())
        return QaItems((*before, *fact_table.name(named), *after), (), fact_table.number(named * 0))

    def texts(self):
        return ["Which zodiacal constellation guards", " quixotically?"]


@pytest.fixture
def later_task(monkeypatch):
    monkeypatch.setitem(tasks(), "zodiac", Zodiac("zodiac"))


@pytest.mark.usefixtures("later_task")
def test_a_task_registered_later_changes_no_world_and_no_question():
    assert built_again(COMPACT[:1]) == COMPACT[:1]
    corpus = ManipulationConfig(tasks=TASKS, hint_fraction=0.5).follow(bios().build(SEED), SEED)
    assert corpus.fingerprint()[:16] == MANIPULATION[0]


@pytest.mark.usefixtures("later_task")
def test_a_new_task_needs_pretraining_with_its_words(monkeypatch):
    first = bios().build(SEED)
    with pytest.raises(ValueError, match="'Which zodiacal .*' is in no version of the question"):
        ManipulationConfig(tasks=["zodiac"]).follow(first, SEED)
    monkeypatch.setitem(VERSIONS, 2, tuple(tasks()["zodiac"].texts()))
    with pytest.raises(
        ValueError,
        match=r"zodiac.*' zodiacal' is not in the vocabulary .*; pretrain with "
        r"data.include_question_vocabulary=true data.question_vocabulary=2$",
    ):
        ManipulationConfig(tasks=["zodiac"]).follow(first, SEED)
    assert built_again(COMPACT[:1]) == COMPACT[:1]
    second = bios(question_vocabulary=2).build(SEED)
    assert second.fingerprint() != first.fingerprint()
    corpus = ManipulationConfig(tasks=["zodiac"]).follow(second, SEED)
    assert "Which zodiacal constellation guards" in second.vocabulary.decode(
        corpus.epoch(0, 0, 1).tokens
    )


def test_unknown_and_unused_versions_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="question_vocabulary=2; known versions: 1$"):
        bios(question_vocabulary=2)
    monkeypatch.setitem(VERSIONS, 2, ())
    with pytest.raises(ValueError, match="question_vocabulary=2 has no effect without"):
        bior(question_vocabulary=2)
