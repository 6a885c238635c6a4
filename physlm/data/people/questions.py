"""QA corpus: questions about the training people, each with its answer."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int32, Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import Corpus, DataConfig, Documents, require_at_least
from physlm.data.people.assembly import assemble
from physlm.data.people.knowledge import KnowledgeCorpus, PieceList
from physlm.data.people.pools import questions
from physlm.data.people.qa_split import (
    QaSplit,
    QaSplitConfig,
    people_of,
    question_attributes,
    question_columns,
    require_held_out_people,
    train_people_of,
    trained_so_far,
)
from physlm.data.people.question_vocabulary import ANSWER, keys_for
from physlm.data.tokens import Pieces
from physlm.registry import register
from physlm.rng import stream

N_PARAPHRASES = 24  # of each question


class TrainOn(str, Enum):
    """Choice of the training people: a ``fraction`` of all, or the ``majority``."""

    fraction = "fraction"
    majority = "majority"


@register("data", "questions")
@dataclass(kw_only=True, slots=True)
class QuestionsConfig(QaSplitConfig):
    """QA about the people of an earlier run: an epoch asks once for every fact of training people.

    The other people are held out: no training question names them.

    Source:
        Physics of Language Models, Part 3.1, section 2.2.
    """

    kind: ClassVar = "questions"
    exposures: int = 20
    train_on: TrainOn = TrainOn.fraction
    train_fraction: float = 0.5  # of the people are training people (train_on=fraction)
    n_paraphrases: int = 1  # of each question in training; the others are held out

    def validate(self) -> None:
        """Require fractions and counts in range."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_paraphrases")
        if self.n_paraphrases > N_PARAPHRASES:
            raise ValueError(
                f"n_paraphrases={self.n_paraphrases}; must be at most {N_PARAPHRASES}, the number "
                "of paraphrases of each question"
            )
        require_held_out_people(self.train_fraction)

    def follow(self, earlier: Corpus, seed: int) -> "QuestionCorpus":
        """Questions about the people of an earlier corpus.

        Raises:
            ValueError: If it has no people, too few to split, or lacks the words of questions.
        """
        world = people_of(self.kind, earlier)
        if self.train_on is TrainOn.majority and not world.sentences.groups.any():
            raise ValueError(
                "train_on=majority, but the world has no minority; set data.n_minority"
            )
        n_train = round(self.train_fraction * world.n_people)
        if not 0 < n_train < world.n_people and self.train_on is TrainOn.fraction:
            raise ValueError(
                f"train_fraction={self.train_fraction} of {world.n_people} people leaves none to "
                f"{'train' if n_train == 0 else 'test'} on; use more people or another fraction"
            )
        words = _words(question_attributes(world))
        try:
            pieces = _pieces(world)
        except ValueError as error:
            raise ValueError(f"{error}; pretrain with {keys_for(words)}") from error
        corpus = QuestionCorpus(world, trained_so_far(earlier, world), self, seed, pieces)
        corpus.require_held_out()
        return corpus


@dataclass(frozen=True, repr=False)
class QuestionCorpus(QaSplit):
    """QA documents: end-of-text, a question and its answer.

    Attributes:
        world: The people.
        config: Training people and paraphrases.
        seed: Seed of every epoch's order and paraphrases.
        pieces: The pieces of questions and answers.
    """

    config: QuestionsConfig
    seed: int
    pieces: "QuestionPieces"

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that questions ask for."""
        return question_attributes(self.world)

    @cached_property
    def is_trained(self) -> Bool[np.ndarray, " people"]:
        """Training people: their questions are in the QA training set."""
        if self.config.train_on is TrainOn.majority:
            is_majority: np.ndarray = self.world.sentences.groups == 0
            return is_majority
        return train_people_of(self.world, self.config.train_fraction)

    @property
    def is_held_out(self) -> Bool[np.ndarray, " people"]:
        """Held-out people: all others."""
        return ~self.is_trained

    @property
    def n_documents(self) -> int:
        """Questions in one epoch, one for each fact of the training people."""
        return int(self.is_trained.sum()) * len(self.attributes)

    @property
    def n_epochs(self) -> int:
        """Times each question occurs in training."""
        return self.config.exposures

    def fingerprint(self) -> str:
        """SHA-256 over the world, the split, the questions and the seed."""
        config = self.config
        texts = [questions(name) for name in self.attributes]
        content = (
            self.world.fingerprint(),
            config.train_on.value,
            config.train_fraction,
            config.n_paraphrases,
            texts,
            self.seed,
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Questions ``first`` to ``last - 1`` of the epoch's shuffled order."""
        facts, paraphrases = _epoch_plan(
            self.seed, number, self.n_documents, self.config.n_paraphrases
        )
        facts, paraphrases = facts[first:last], paraphrases[first:last]
        people = np.flatnonzero(self.is_trained)[facts // len(self.attributes)]
        assert self.is_trained[people].all()  # no held-out person may get into training
        return self.documents(people, facts % len(self.attributes), paraphrases)

    def documents(
        self,
        people: Int64[np.ndarray, " documents"],
        attributes: Int64[np.ndarray, " documents"],
        paraphrases: Int64[np.ndarray, " documents"],
    ) -> Documents:
        """Questions with their answers."""
        rows = np.concatenate(
            [
                self._question_rows(people, attributes, paraphrases),
                self.pieces.values[people, attributes],
            ],
            axis=1,
        )
        return assemble(rows, self.pieces.pieces, self.vocabulary.eos)

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Questions and answers about training people, each person a group."""
        n_attributes = len(self.attributes)
        per_question = self.longest_question + self.longest_answer
        trained = np.flatnonzero(self.is_trained)
        n_people = max(2, n_tokens // (per_question * n_attributes))
        people = np.repeat(trained[:n_people], n_attributes)
        attributes = np.arange(len(people)) % n_attributes
        documents = self.documents(people, attributes, np.zeros_like(people))
        return AnnotatedDocuments(documents, people, self.world.full_names())

    def prompts(
        self,
        people: Int64[np.ndarray, " questions"],
        attributes: Int64[np.ndarray, " questions"],
        paraphrases: Int64[np.ndarray, " questions"],
    ) -> list[np.ndarray]:
        """Questions up to the place of the answer, each after an end-of-text."""
        rows = self._question_rows(people, attributes, paraphrases)
        documents = assemble(rows, self.pieces.pieces, self.vocabulary.eos)
        return np.split(documents.tokens, documents.starts[1:-1])

    def questions(
        self,
        people: Int64[np.ndarray, " questions"],
        attributes: Int64[np.ndarray, " questions"],
        paraphrases: Int64[np.ndarray, " questions"],
    ) -> list[str]:
        """Questions as text."""
        texts = self.pieces.pieces.texts
        rows = self._question_rows(people, attributes, paraphrases).tolist()
        spelt = ("".join(texts[piece] for piece in row if piece >= 0) for row in rows)
        return [text.removesuffix(ANSWER) for text in spelt]

    def answer(self, person: SupportsIndex, attribute: SupportsIndex) -> str:
        """The correct answer, as text."""
        return self.vocabulary.decode(
            self.pieces.pieces.join(self.pieces.values[person, attribute])
        ).strip()

    @property
    def longest_answer(self) -> int:
        """Tokens of the longest answer."""
        return self.pieces.pieces.most_tokens(self.pieces.values)

    @property
    def longest_question(self) -> int:
        """Tokens of the longest question in any paraphrase, including its end-of-text."""
        most_tokens = self.pieces.pieces.most_tokens
        return 1 + most_tokens(self.pieces.names) + most_tokens(self.pieces.paraphrases)

    def _question_rows(
        self, people: np.ndarray, attributes: np.ndarray, paraphrases: np.ndarray
    ) -> np.ndarray:
        before, after = self.pieces.paraphrases[attributes, paraphrases].T
        return np.column_stack([before, self.pieces.names[people], after])


@dataclass(frozen=True, slots=True)
class QuestionPieces:
    """The pieces of questions and answers, by number; -1 stands for no piece.

    Attributes:
        pieces: The tokenised pieces.
        names: The parts of each person's name.
        paraphrases: The words before and after the name in each paraphrase of each question.
        values: The answers.
    """

    pieces: Pieces
    names: Int32[np.ndarray, "people parts"]
    paraphrases: Int32[np.ndarray, "attributes paraphrases 2"]
    values: Int32[np.ndarray, "people attributes chunks"]


def _pieces(world: KnowledgeCorpus) -> QuestionPieces:
    pieces = PieceList(world.sentences.pieces.texts)
    parts = zip(*world.name_parts(), strict=True)
    names = [pieces.add([f" {part}" for part in column]) for column in parts]
    paraphrases = [
        [pieces.add(around) for around in _paraphrases(attribute)]
        for attribute in question_attributes(world)
    ]
    return QuestionPieces(
        Pieces(world.vocabulary, list(pieces.texts)),
        np.stack(names, axis=1),
        np.array(paraphrases),
        world.sentences.values[:, question_columns(world)],
    )


def _paraphrases(attribute: str) -> list[tuple[str, str]]:
    """The words before the name and those after it, up to the answer."""
    return [(before, f"{after}{ANSWER}") for before, after in questions(attribute)]


def _words(attributes: tuple[str, ...]) -> list[str]:
    """The pieces of questions for these attributes, without names and values."""
    return [text for name in attributes for around in _paraphrases(name) for text in around]


@lru_cache(maxsize=2)
def _epoch_plan(
    seed: int, number: int, n: int, n_paraphrases: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """The order of an epoch's questions, and the paraphrase of each.

    Args:
        seed: Seed of the corpus.
        number: Number of the epoch.
        n: Questions in the epoch.
        n_paraphrases: Paraphrases to draw from.
    """
    order = stream(seed, "epoch", number, "questions").permutation(n)
    return order, stream(seed, "epoch", number, "phrasings").integers(0, n_paraphrases, n)
