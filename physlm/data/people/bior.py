"""bioR: realistic biographies, by our grammar of discourse or from a file of rewritten ones."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from physlm.data.corpus import DataConfig, require_at_least
from physlm.data.people.bios import (
    NAME_PARTS,
    PRONOUNS,
    BiosConfig,
    People,
    Subject,
    attributes_of,
    draw_people,
    name_texts,
    value_pieces,
)
from physlm.data.people.knowledge import KnowledgeCorpus, PieceList
from physlm.data.people.pools import ATTRIBUTES, pool
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
    """bioR(N): the people of bioS, told about in texts without fixed sentence frames.

    Every text says all six attributes word for word, in any order. An exposure of a person is one
    of the texts, the next one at the next exposure.

    Source:
        Physics of Language Models, Part 3.1, section 2 and appendix A.
    """

    n_people: int = 10_000
    n_texts: int = 1  # of each person: multiM
    subject: Subject = Subject.pronoun  # full_name: in every sentence
    # A file of data_gen.rewrite, or another of its columns; by default our grammar writes.
    source: str = field(default="", metadata=SOURCE)
    pool_size: int | None = None  # entries in use of each list of names, values and years
    include_question_vocabulary: bool = (
        False  # the vocabulary holds the words of questions about people, too
    )
    question_vocabulary: int = field(default=1, metadata=LATER)  # version of these words
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """People, texts and windows in range; a file of texts is pinned to its content."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_people", "n_texts")
        if self.pool_size is not None:
            require_at_least(self, 2, "pool_size")
        require_version(self.question_vocabulary, is_used=self.include_question_vocabulary)
        if self.source and self.subject is Subject.full_name:
            raise ValueError(
                f"subject=full_name with source={self.source}: its texts are written; ask the "
                "rewriting model for full names"
            )
        self.source = self.source and pinned(self.source)

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people, and write or read their biographies."""
        n_texts = self.n_people * self.n_texts
        require_memory({f"n_texts={self.n_texts} for n_people={self.n_people}": 200 * n_texts})
        people, persons = persons_of(self, seed)
        written, tokenise = self._read(persons) if self.source else self._write(persons, seed)
        pieces = PieceList()
        names = np.stack(
            [pieces.add([f" {t}" for t in part]) for part in zip(*name_texts(people), strict=True)],
            axis=1,
        )
        values = value_pieces(people, pieces)
        version, size = self.question_vocabulary, self.pool_size
        asked = question_words(version, size) if self.include_question_vocabulary else []
        vocabulary = Vocabulary.build(self.tokenizer, [*written, *pieces.texts, *asked])
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
        """Texts of the grammar, those of a person one after the other."""
        is_named_always = self.subject is Subject.full_name
        rng = stream(seed, "discourse")
        told = [
            biography(person, rng, is_named_always=is_named_always)
            for person in persons
            for _ in range(self.n_texts)
        ]
        texts = [one.text for one in told]
        return texts, lambda vocabulary: tokenised(texts, [one.places for one in told], vocabulary)

    def _read(self, persons: Sequence[Person]) -> "_Written":
        """Texts of a file."""
        from physlm.data.texts.text_table import texts_of  # loads pyarrow

        rows = texts_of(path_of(self.source), persons, self.n_texts)
        facts = [{"name": (who := persons[row.person]).name, **who.facts} for row in rows]
        texts, names = [row.text for row in rows], [row.name for row in rows]
        return texts, lambda vocabulary: located(texts, facts, vocabulary, names=names)


# Texts, and their tokens and spans once there is a vocabulary of all.
_Written = tuple[list[str], Callable[[Vocabulary], Tokenised]]


def persons_of(config: BiorConfig, seed: int) -> tuple[People, list[Person]]:
    """The people of a world, as numbers and in words."""
    drawn = BiosConfig(n_people=config.n_people, pool_size=config.pool_size)
    people = draw_people(drawn, seed)
    pieces = PieceList()
    values, texts = value_pieces(people, pieces), list(pieces.texts)
    persons = []
    for name, row, is_female in zip(name_texts(people), values, people.is_female, strict=True):
        told = ["".join(texts[p] for p in chunks if p >= 0).strip() for chunks in row]
        facts = dict(zip(ATTRIBUTES, told, strict=True))
        persons.append(Person(" ".join(name), PRONOUNS[is_female], facts))
    return people, persons
