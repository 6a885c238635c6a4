"""bioR: realistic biographies, by our grammar of discourse or from a file of rewritten ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from physlm.data.bio.bios import (
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
from physlm.data.bio.discourse import Person, biography
from physlm.data.bio.knowledge import KnowledgeCorpus, PieceList
from physlm.data.bio.pools import ATTRIBUTES, pool
from physlm.data.bio.questions import question_texts
from physlm.data.bio.tasks import task_texts
from physlm.data.bio.written import WrittenTexts, located
from physlm.data.corpus import DataConfig, require_at_least
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.memory import require_memory
from physlm.rng import stream


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
    source: str = ""  # a file of physlm.rewrite; by default our grammar of discourse writes
    pool_size: int | None = None  # entries in use of each list of names, values and years
    questions: bool = False  # the vocabulary holds the words of questions about people, too
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """People, texts and windows in range."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_people", "n_texts")
        if self.pool_size is not None:
            require_at_least(self, 2, "pool_size")
        if self.source and self.subject is Subject.full_name:
            raise ValueError(
                f"subject=full_name with source={self.source}: its texts are written; ask the "
                "rewriting model for full names"
            )

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people, and write or read their biographies."""
        n_texts = self.n_people * self.n_texts
        require_memory({f"n_texts={self.n_texts} for n_people={self.n_people}": 200 * n_texts})
        people, persons = persons_of(self, seed)
        written = self._read(persons) if self.source else self._write(persons, seed)
        pieces = PieceList()
        names = np.stack(
            [pieces.add([f" {t}" for t in part]) for part in zip(*name_texts(people), strict=True)],
            axis=1,
        )
        values = value_pieces(people, pieces)
        first_names = pool("first_names", self.pool_size)
        asked = [*question_texts(ATTRIBUTES, first_names), *task_texts()] if self.questions else []
        vocabulary = Vocabulary.build(self.tokenizer, [*written, *pieces.texts, *asked])
        wanted = [
            {"name": person.name, **person.facts} for person in persons for _ in range(self.n_texts)
        ]
        tokens, starts, spans = located(written, wanted, vocabulary)
        texts = WrittenTexts(
            pieces=Pieces(vocabulary, list(pieces.texts)), names=names, values=values,
            n_texts=self.n_texts, tokens=tokens, starts=starts,
            name_spans=spans[:, 0], value_spans=spans[:, 1:],
        )  # fmt: skip
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=texts,
            attributes=attributes_of(self.pool_size, has_gender=False),
            n_names=math.prod(len(pool(part, self.pool_size)) for part in NAME_PARTS),
            diversity=None,
            told_until=np.arange(1, self.n_people + 1),
        )

    def _write(self, persons: Sequence[Person], seed: int) -> list[str]:
        """Texts of the grammar, those of a person one after the other."""
        is_named_always = self.subject is Subject.full_name
        rng = stream(seed, "discourse")
        return [
            biography(person, rng, is_named_always=is_named_always)
            for person in persons
            for _ in range(self.n_texts)
        ]

    def _read(self, persons: Sequence[Person]) -> list[str]:
        """Texts of a file, those of a person one after the other.

        Raises:
            ValueError: If the file is none of ours, or has too few texts of these people.
        """
        try:
            table = pq.read_table(Path(self.source), columns=["person", "name", "text"])
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"source={self.source} is no file of biographies: {error}") from error
        found: list[list[str]] = [[] for _ in persons]
        for row in table.to_pylist():
            if row["person"] < len(persons):
                if row["name"] != persons[row["person"]].name:
                    raise ValueError(
                        f"source={self.source} tells of {row['name']} where this world has "
                        f"{persons[row['person']].name}; use the n_people, pool_size and seed that "
                        "it was written with"
                    )
                found[row["person"]].append(row["text"])
        fewest = min(map(len, found))
        if fewest < self.n_texts:
            raise ValueError(
                f"n_texts={self.n_texts}, but source={self.source} has {fewest} of person "
                f"{[len(texts) for texts in found].index(fewest)}; go on writing it"
            )
        return [text for texts in found for text in texts[: self.n_texts]]


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
