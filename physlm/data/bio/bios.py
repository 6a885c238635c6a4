"""bioS: synthetic biographies from templates, redrawn at every exposure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Int64

from physlm.data.bio.assembly import Sentences
from physlm.data.bio.knowledge import Attribute, KnowledgeCorpus, PieceList, draw_names
from physlm.data.bio.pools import employers, pool, templates
from physlm.data.corpus import DataConfig, require_at_least
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.rng import stream

ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "company_city")
MONTHS = ("January", "February", "March", "April", "May", "June", "July",
          "August", "September", "October", "November", "December")  # fmt: skip
N_MONTHS, N_DAYS, FIRST_YEAR, N_YEARS = 12, 28, 1900, 200
PRONOUNS = ("He", "She")


class Text(str, Enum):
    """Whether a person's text is drawn anew at every exposure (bioS) or once (bioS_simple)."""

    redrawn = "redrawn"
    fixed = "fixed"


class Subject(str, Enum):
    """How sentences after the first name their subject."""

    pronoun = "pronoun"
    full_name = "full_name"


@dataclass(kw_only=True, slots=True)
class BiosConfig(DataConfig):
    """bioS(N): people with six attributes, told in six sentences of random order and wording.

    Source:
        Physics of Language Models, Part 3.1, section 2 and Part 3.3, section 2.1.
    """

    n_people: int = 10_000
    text: Text = Text.redrawn
    subject: Subject = Subject.pronoun
    tokenizer: TokenizerName = TokenizerName.gpt2

    def check(self) -> None:
        """People and windows in range."""
        DataConfig.check(self)
        require_at_least(self, 1, "n_people")

    def build(self, seed: int) -> KnowledgeCorpus:
        """Draw the people and tokenise every piece of their biographies."""
        people = draw_people(self, seed)
        pieces = PieceList()
        subjects = _subjects(people, pieces, self.subject)
        prefixes, suffixes, n_templates = _template_pieces(pieces)
        values = _value_pieces(people, pieces)
        vocabulary = Vocabulary.build(self.tokenizer, list(pieces.texts))
        sentences = Sentences(
            pieces=Pieces(vocabulary, list(pieces.texts)),
            n_name_parts=3,
            first_subjects=subjects[0],
            later_subjects=subjects[1],
            values=values,
            prefixes=prefixes,
            suffixes=suffixes,
            n_templates=n_templates,
            has_pronoun=self.subject is Subject.pronoun,
            random_order=True,
        )
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=sentences,
            attributes=_attributes(self.subject),
            n_names=len(pool("first_names")) * len(pool("middle_names")) * len(pool("last_names")),
            diversity=None,
            is_redrawn=self.text is Text.redrawn,
        )


@dataclass(frozen=True, slots=True)
class People:
    """The facts, as indices into the pools.

    Attributes:
        names: First, middle and last name.
        birth_dates: Month, day and year, each from 0.
        choices: Birth city, university, major and employer.
        is_female: Decides the pronoun.
    """

    names: Int64[np.ndarray, "people 3"]
    birth_dates: Int64[np.ndarray, "people 3"]
    choices: Int64[np.ndarray, "people 4"]
    is_female: Int64[np.ndarray, " people"]


def draw_people(config: BiosConfig, seed: int) -> People:
    """The world of a configuration and seed: distinct names, every attribute uniform."""
    n = config.n_people
    parts = ("first_names", "middle_names", "last_names")
    pools = ("birth_cities", "universities", "majors")
    sizes = [*(len(pool(name)) for name in pools), len(employers())]
    return People(
        names=draw_names(seed, n, [len(pool(name)) for name in parts]),
        birth_dates=stream(seed, "birth dates").integers(0, (N_MONTHS, N_DAYS, N_YEARS), (n, 3)),
        choices=stream(seed, "attributes").integers(0, sizes, (n, 4)),
        is_female=stream(seed, "gender").integers(0, 2, n),
    )


def _attributes(subject: Subject) -> tuple[Attribute, ...]:
    n_values = (
        N_MONTHS * N_DAYS * N_YEARS, len(pool("birth_cities")), len(pool("universities")),
        len(pool("majors")), len(employers()),
    )  # fmt: skip
    counted = [Attribute(name, n) for name, n in zip(ATTRIBUTES[:5], n_values, strict=True)]
    company_city = Attribute("company_city", len(employers()), is_counted=False)
    gender = [Attribute("gender", len(PRONOUNS))] if subject is Subject.pronoun else []
    return (*counted, company_city, *gender)


def _spaced(texts: Sequence[str]) -> list[str]:
    return [f" {text}" for text in texts]


def _subjects(people: People, pieces: PieceList, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of the opening name and of the subject of later sentences."""
    opening = pieces.add(pool("first_names"))
    middle = pieces.add(_spaced(pool("middle_names")))
    last = pieces.add(_spaced(pool("last_names")))
    family = [middle[people.names[:, 1]], last[people.names[:, 2]]]
    first = np.stack([opening[people.names[:, 0]], *family], axis=1)
    if subject is Subject.pronoun:
        return first, pieces.add(_spaced(PRONOUNS))[people.is_female][:, None]
    inner = pieces.add(_spaced(pool("first_names")))
    return first, np.stack([inner[people.names[:, 0]], *family], axis=1)


def _template_pieces(pieces: PieceList) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [templates(attribute) for attribute in ATTRIBUTES]
    n_templates = np.array([len(row) for row in rows], dtype=np.int32)
    prefixes = np.full((len(rows), n_templates.max()), -1, dtype=np.int32)
    suffixes = prefixes.copy()
    for a, row in enumerate(rows):
        prefixes[a, : len(row)] = pieces.add([before for before, _ in row])
        suffixes[a, : len(row)] = pieces.add([after for _, after in row])
    return prefixes, suffixes, n_templates


def _value_pieces(people: People, pieces: PieceList) -> np.ndarray:
    """Piece numbers of every value; a birth date is two pieces, the others one."""
    month_days = pieces.add([f" {month} {day}" for month in MONTHS for day in range(1, N_DAYS + 1)])
    years = pieces.add([f", {FIRST_YEAR + year}" for year in range(N_YEARS)])
    tables = [
        pieces.add(_spaced(pool(name))) for name in ("birth_cities", "universities", "majors")
    ]
    tables.append(pieces.add(_spaced([company for company, _ in employers()])))
    company_cities = pieces.add(_spaced([city for _, city in employers()]))
    values = np.full((len(people.names), len(ATTRIBUTES), 2), -1, dtype=np.int32)
    month, day, year = people.birth_dates.T
    values[:, 0, 0] = month_days[month * N_DAYS + day]
    values[:, 0, 1] = years[year]
    for column, table in enumerate(tables):
        values[:, 1 + column, 0] = table[people.choices[:, column]]
    values[:, 5, 0] = company_cities[people.choices[:, 3]]
    return values
