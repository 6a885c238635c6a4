"""bioR: realistic biographies, from a grammar of discourse or a file of rewritten texts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from physlm.data.corpus import DataConfig, require_at_least
from physlm.data.people.augmentation import Subject
from physlm.data.people.bios import BiosConfig, attributes_of, draw_people
from physlm.data.people.bios_pieces import PRONOUNS, People, name_texts, value_pieces
from physlm.data.people.knowledge import KnowledgeCorpus, PieceList
from physlm.data.people.pools import ATTRIBUTES, NAME_PARTS, pool
from physlm.data.people.question_vocabulary import question_words, require_version
from physlm.data.texts.discourse import Person, biography
from physlm.data.texts.fixed_texts import FixedTexts, Tokenised, located, tokenised
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.memory import require_memory
from physlm.registry import register
from physlm.rng import stream
from physlm.run_id import LATER
from physlm.sources import SOURCE, pinned
from physlm.sources import located as path_of


@register("data", "bior")
@dataclass(kw_only=True, slots=True)
class BiorConfig(DataConfig):
    """bioR(N): the people of bioS, in texts without fixed sentence frames.

    Every text states all six attributes word for word, in any order. Each exposure of a person
    shows the next of the person's texts.

    Source:
        Physics of Language Models, Part 3.1, section 2 and appendix A.
    """

    n_people: int = 10_000  # people in the world, N in the papers
    n_texts: int = 1  # of each person: multiM
    subject: Subject = Subject.pronoun  # full_name: in every sentence
    # A file written by data_gen.rewrite, or one with its columns; empty: the grammar of discourse.
    source: str = field(default="", metadata=SOURCE)
    pool_size: int | None = None  # use the first entries of each list of names, values and years
    include_question_vocabulary: bool = False  # add the words of questions to the vocabulary
    question_vocabulary: int = field(default=1, metadata=LATER)  # version of these words
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """Require people, texts and windows in range, and pin a file of texts to its content."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_people", "n_texts")
        if self.pool_size is not None:
            require_at_least(self, 2, "pool_size")
        require_version(self.question_vocabulary, is_used=self.include_question_vocabulary)
        if self.source and self.subject is Subject.full_name:
            raise ValueError(
                f"subject=full_name with source={self.source}, whose texts are fixed; prompt the "
                "rewriting model for full names"
            )
        self.source = self.source and pinned(self.source)

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people, and write or read their biographies."""
        n_texts = self.n_people * self.n_texts
        require_memory({f"n_texts={self.n_texts} for n_people={self.n_people}": 200 * n_texts})
        people, persons = persons_of(self, seed)
        biographies, tokenise = self._read(persons) if self.source else self._write(persons, seed)
        pieces = PieceList()
        names = np.stack(
            [pieces.add([f" {t}" for t in part]) for part in zip(*name_texts(people), strict=True)],
            axis=1,
        )
        values = value_pieces(people, pieces)
        version, size = self.question_vocabulary, self.pool_size
        questions = question_words(version, size) if self.include_question_vocabulary else []
        vocabulary = Vocabulary.build(self.tokenizer, [*biographies, *pieces.texts, *questions])
        tokens, starts, spans = tokenise(vocabulary)
        texts = FixedTexts(
            pieces=Pieces(vocabulary, list(pieces.texts)),
            names=names,
            values=values,
            n_texts=self.n_texts,
            tokens=tokens,
            starts=starts,
            name_spans=spans[:, 0],
            value_spans=spans[:, 1:],
        )
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=texts,
            attributes=attributes_of(self.pool_size, has_gender=False),
            n_names=math.prod(len(pool(part, self.pool_size)) for part in NAME_PARTS),
            diversity=None,
            document_ends=np.arange(1, self.n_people + 1),
        )

    def _write(self, persons: Sequence[Person], seed: int) -> "_Written":
        """Texts of the grammar, person by person."""
        uses_full_name = self.subject is Subject.full_name
        rng = stream(seed, "discourse")
        written = [
            biography(person, rng, uses_full_name=uses_full_name)
            for person in persons
            for _ in range(self.n_texts)
        ]
        texts, places = [one.text for one in written], [one.places for one in written]
        return texts, lambda vocabulary: tokenised(texts, places, vocabulary)

    def _read(self, persons: Sequence[Person]) -> "_Written":
        """Texts from the file, person by person."""
        from physlm.data.texts.text_table import texts_of  # loads pyarrow

        rows = texts_of(path_of(self.source), persons, self.n_texts)
        facts = [{"name": persons[row.person].name, **persons[row.person].facts} for row in rows]
        texts, names = [row.text for row in rows], [row.name for row in rows]
        return texts, lambda vocabulary: located(texts, facts, vocabulary, names=names)


# Texts, and a function that gives their tokens and spans once the vocabulary is known.
_Written = tuple[list[str], Callable[[Vocabulary], Tokenised]]


def persons_of(config: BiorConfig, seed: int) -> tuple[People, list[Person]]:
    """The people of a world, as indices and as text."""
    drawn = BiosConfig(n_people=config.n_people, pool_size=config.pool_size)
    people = draw_people(drawn, seed)
    pieces = PieceList()
    values, texts = value_pieces(people, pieces), list(pieces.texts)
    persons = []
    for name, row, is_female in zip(name_texts(people), values, people.is_female, strict=True):
        spelt = ["".join(texts[p] for p in chunks if p >= 0).strip() for chunks in row]
        facts = dict(zip(ATTRIBUTES, spelt, strict=True))
        persons.append(Person(" ".join(name), PRONOUNS[is_female], facts))
    return people, persons
