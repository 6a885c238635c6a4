"""bioS: synthetic biographies from templates, redrawn at every exposure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Int64

from physlm.data.corpus import require_at_least
from physlm.data.people.knowledge import Attribute, KnowledgeCorpus, PieceList
from physlm.data.people.people import PeopleConfig, Population, draw_names
from physlm.data.people.pools import (
    ATTRIBUTES,
    FIRST_YEAR,
    MONTHS,
    N_DAYS,
    N_MONTHS,
    N_YEARS,
    employers,
    pool,
    templates,
)
from physlm.data.people.question_vocabulary import question_words, require_version
from physlm.data.people.sentences import Augmentation, Order, Sentences, Translation
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.registry import register
from physlm.rng import stream
from physlm.run_id import LATER
from physlm.schema import Schema

PRONOUNS = ("He", "She")
PRONOUNS_FRENCH = ("Il", "Elle")
NAME_PARTS = ("first_names", "middle_names", "last_names")
VALUE_POOLS = ("birth_cities", "universities", "majors")


class Subject(str, Enum):
    """How sentences after the first name their subject."""

    pronoun = "pronoun"
    full_name = "full_name"


@dataclass(kw_only=True, slots=True)
class AugmentationConfig(Schema):
    """How people are told about: the augmentations of bioS.

    ========================  =================================================
    single                    ``n_paraphrases=1 order=fixed``
    multiM                    ``n_paraphrases=M order=fixed``
    single + permuteP         ``n_paraphrases=1 n_permutations=P``
    multiM + permute          ``n_paraphrases=M``
    bioS of Part 3.3          ``n_paraphrases=0``, the default
    bioS_simple of Part 3.3   ``n_paraphrases=1``
    fullname                  ``subject=full_name``
    reverseK                  ``name_position=K``
    couple                    ``order=coupled``
    with translations         ``second_language=true``; names and values stay as they are
    ========================  =================================================

    Source:
        Physics of Language Models, Part 3.1, section 2 and appendix A; Part 3.2, section 5.
    """

    n_paraphrases: int = 0  # times templates are drawn for a person; 0 draws them at every exposure
    n_permutations: int = 1  # orders of sentences for each paraphrase
    order: Order = Order.random
    # Every text comes in French, too, one after the other.
    second_language: bool = field(default=False, metadata=LATER)
    # The company city is left out; it then follows from what others' texts say of the employer.
    omits_company_city: bool = field(default=False, metadata=LATER)
    subject: Subject = Subject.pronoun
    name_position: int = 0  # sentences before the one that names the person; 0 opens with the name

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 0, "n_paraphrases", "name_position")
        require_at_least(self, 1, "n_permutations")
        if self.n_permutations > 1 and (self.n_paraphrases == 0 or self.order is Order.fixed):
            raise ValueError(
                f"n_permutations={self.n_permutations} needs n_paraphrases >= 1 and an order "
                "that is drawn"
            )
        if self.name_position > len(ATTRIBUTES):
            raise ValueError(
                f"name_position={self.name_position}; there are {len(ATTRIBUTES)} sentences"
            )
        if self.omits_company_city and self.order is Order.coupled:
            raise ValueError(
                "omits_company_city=true with order=coupled; half a couple would be told"
            )
        if self.name_position and self.second_language:
            raise ValueError(
                f"name_position={self.name_position} with second_language=true; its texts open "
                "with names"
            )
        if self.name_position and self.subject is Subject.full_name:
            raise ValueError(
                f"name_position={self.name_position} with subject=full_name names the person "
                "before; use subject=pronoun"
            )

    @property
    def augmentation(self) -> Augmentation:
        """The same for `Sentences`."""
        return Augmentation(
            self.order,
            self.n_paraphrases,
            self.n_permutations,
            1 + self.second_language,
            int(self.omits_company_city),
            self.name_position,
            has_pronoun=self.subject is Subject.pronoun,
        )


@register("data", "bios")
@dataclass(kw_only=True, slots=True)
class BiosConfig(PeopleConfig):
    """bioS(N): people with six attributes, each told in one sentence.

    A minority of further people, of the same world, may be told about in another way: in Part 3.1
    celebrities have five texts where the minority has one.

    Source:
        Physics of Language Models, Part 3.1, section 2 and Part 3.3, section 2.1.
    """

    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    n_minority: int = 0  # people beside these, told about as minority_augmentation says
    minority_augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    pool_size: int | None = None  # entries in use of each list of names, values and years
    majority_repeats: int = (
        1  # texts of each of the n_people in an epoch, where the minority has one
    )
    include_question_vocabulary: bool = (
        False  # the vocabulary holds the words of questions about people, too
    )
    question_vocabulary: int = field(default=1, metadata=LATER)  # version of these words
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """People and windows in range."""
        PeopleConfig.validate(self)
        require_at_least(self, 1, "majority_repeats")
        require_at_least(self, 0, "n_minority")
        if self.pool_size is not None:
            require_at_least(self, 2, "pool_size")
        require_version(self.question_vocabulary, is_used=self.include_question_vocabulary)
        if self.majority_repeats > 1 and not self.n_minority:
            raise ValueError(
                f"majority_repeats={self.majority_repeats} without a minority; set n_minority, or "
                "exposures"
            )
        if self.frequencies is not None and self.n_minority:
            raise ValueError(
                f"frequencies={self.frequencies} with n_minority={self.n_minority}; a minority is "
                "told of once where others are told of times; leave one of them out"
            )

    @property
    def name_choices(self) -> tuple[int, ...]:
        """First, middle and last names."""
        return tuple(len(pool(part, self.pool_size)) for part in NAME_PARTS)

    @property
    def fact_choices(self) -> tuple[int, ...]:
        """Month, day and year of birth, the four other attributes that are drawn, the gender."""
        return (N_MONTHS, N_DAYS, n_years(self.pool_size), *_n_values(self.pool_size), 2)

    def sizes(self) -> dict[str, int]:
        """Bytes that everybody's facts and the order of documents take at least."""
        n_facts = len(self.fact_choices)
        return PeopleConfig.sizes(self) | {
            f"n_minority={self.n_minority}": 8 * self.n_minority * n_facts,
            f"majority_repeats={self.majority_repeats} for n_people={self.n_people}": 8
            * self.n_people
            * self.majority_repeats,
        }

    def drawn(self, seed: int) -> Population:
        """Everybody, the minority last."""
        people = draw_people(self, seed)
        facts = (people.birth_dates, people.choices, people.is_female)
        return Population(people.names, np.column_stack(facts))

    def corpus(self, seed: int, reserved: Sequence[str] = ()) -> KnowledgeCorpus:
        """The people of a seed, and every piece of their biographies, tokenised."""
        people = self.drawn(seed)
        is_minority = np.arange(len(people.names)) >= self.n_people
        pieces, told = PieceList(), (self.augmentation, self.minority_augmentation)
        about = self._about(people, is_minority, pieces)
        version, size = self.question_vocabulary, self.pool_size
        asked = question_words(version, size) if self.include_question_vocabulary else []
        vocabulary = Vocabulary.build(self.tokenizer, [*pieces.texts, *asked], reserved)
        sentences = Sentences(
            pieces=Pieces(vocabulary, list(pieces.texts)),
            n_name_parts=people.names.shape[1],
            augmentations=tuple(text.augmentation for text in told[: 1 + is_minority.any()]),
            **about,
        )
        has_gender = any(augmentation.has_pronoun for augmentation in sentences.augmentations)
        is_once = np.where(is_minority, 1, self.majority_repeats)
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=sentences,
            attributes=attributes_of(self.pool_size, has_gender=has_gender),
            n_names=math.prod(self.name_choices),
            diversity=None,
            document_ends=self.document_ends() if self.frequencies else is_once.cumsum(),
        )

    def of_others(self, corpus: KnowledgeCorpus, others: Population) -> Sentences:
        """The same templates and lists, about other people, none of a minority."""
        assert isinstance(corpus.sentences, Sentences)
        pieces = PieceList(corpus.sentences.pieces.texts)
        about = self._about(others, np.zeros(len(others.names), dtype=bool), pieces)
        return replace(corpus.sentences, **about)

    def _about(
        self, drawn: Population, is_minority: np.ndarray, pieces: PieceList
    ) -> dict[str, Any]:
        """All of `Sentences` but the tokens and how texts come about."""
        people = People.of(drawn, self.pool_size)
        groups, told = is_minority.astype(np.int8), (self.augmentation, self.minority_augmentation)
        is_named_later = np.array([text.name_position > 0 for text in told])[groups]
        has_full_name = np.array([text.subject is Subject.full_name for text in told])[groups]
        openings = _openings(people, pieces, is_named_later)
        subjects = _later_subjects(people, pieces, has_full_name, PRONOUNS)
        namings = _namings(people, pieces, is_named_later)
        prefixes, suffixes, n_templates = _template_pieces(pieces, ["templates"])
        translation = None
        if any(text.second_language for text in told):
            n_first = n_templates
            prefixes, suffixes, n_templates = _template_pieces(
                pieces, ["templates", "templates_french"]
            )
            translated = _later_subjects(people, pieces, has_full_name, PRONOUNS_FRENCH)
            translation = Translation(translated, n_first, n_templates - n_first)
            n_templates = n_first
        return {
            "openings": openings,
            "subjects": subjects,
            "namings": namings,
            "values": value_pieces(people, pieces),
            "prefixes": prefixes,
            "suffixes": suffixes,
            "n_templates": n_templates,
            "groups": groups,
            "translation": translation,
        }


@dataclass(frozen=True, slots=True)
class People:
    """The facts, as indices into the pools.

    Attributes:
        names: First, middle and last name.
        birth_dates: Month, day and year, each from 0.
        choices: Birth city, university, major and employer.
        is_female: Decides the pronoun.
        pool_size: Entries of each list that these were drawn from; None for all.
    """

    names: Int64[np.ndarray, "people 3"]
    birth_dates: Int64[np.ndarray, "people 3"]
    choices: Int64[np.ndarray, "people 4"]
    is_female: Int64[np.ndarray, " people"]
    pool_size: int | None

    @classmethod
    def of(cls, drawn: Population, pool_size: int | None) -> "People":
        """The same people with their facts told apart."""
        facts = drawn.facts
        return cls(drawn.names, facts[:, :3], facts[:, 3:7], facts[:, 7], pool_size)


def draw_people(config: BiosConfig, seed: int) -> People:
    """The world of a configuration and seed: distinct names, every attribute uniform."""
    n, size = config.n_people + config.n_minority, config.pool_size
    names = draw_names(seed, n, config.name_choices)
    config.require_room()
    dates = (N_MONTHS, N_DAYS, n_years(size))
    return People(
        names=names,
        birth_dates=stream(seed, "birth dates").integers(0, dates, (n, 3)),
        choices=stream(seed, "attributes").integers(0, _n_values(size), (n, 4)),
        is_female=stream(seed, "gender").integers(0, 2, n),
        pool_size=size,
    )


def _n_values(pool_size: int | None) -> tuple[int, ...]:
    """Birth cities, universities, majors and employers in use."""
    return (*(len(pool(name, pool_size)) for name in VALUE_POOLS), len(employers(pool_size)))


def n_years(pool_size: int | None) -> int:
    """Years of birth in use."""
    return N_YEARS if pool_size is None else min(N_YEARS, pool_size)


def attributes_of(size: int | None, *, has_gender: bool) -> tuple[Attribute, ...]:
    """What is known of everyone, from lists of so many entries."""
    n_employers = len(employers(size))
    n_dates = N_MONTHS * N_DAYS * n_years(size)
    n_values = (n_dates, *(len(pool(name, size)) for name in VALUE_POOLS), n_employers)
    counted = [Attribute(name, n) for name, n in zip(ATTRIBUTES[:5], n_values, strict=True)]
    company_city = Attribute("company_city", n_employers, is_counted=False)
    gender = [Attribute("gender", len(PRONOUNS))] if has_gender else []
    return (*counted, company_city, *gender)


def _spaced(texts: Sequence[str]) -> list[str]:
    return [f" {text}" for text in texts]


def name_texts(people: People) -> list[tuple[str, ...]]:
    """First, middle and last name of everyone."""
    pools = [pool(part, people.pool_size) for part in NAME_PARTS]
    return [tuple(pools[i][k] for i, k in enumerate(row)) for row in people.names.tolist()]


def _names(people: People, pieces: PieceList, *, is_opening: bool) -> np.ndarray:
    """The parts of each name; where it opens no document, the first name has a space before it."""
    pools = [pool(part, people.pool_size) for part in NAME_PARTS]
    texts = [pools[0] if is_opening else _spaced(pools[0]), *map(_spaced, pools[1:])]
    return np.stack([pieces.add(t)[people.names[:, i]] for i, t in enumerate(texts)], axis=1)


def _openings(people: People, pieces: PieceList, is_named_later: np.ndarray) -> np.ndarray:
    """The name, or the pronoun of whom a later sentence names."""
    openings = np.full((len(people.names), 3), -1, dtype=np.int32)
    if not is_named_later.all():
        openings[~is_named_later] = _names(people, pieces, is_opening=True)[~is_named_later]
    if is_named_later.any():
        openings[is_named_later, 0] = pieces.add(PRONOUNS)[people.is_female[is_named_later]]
    return openings


def _later_subjects(
    people: People, pieces: PieceList, has_full_name: np.ndarray, words: tuple[str, str]
) -> np.ndarray:
    subjects = np.full((len(people.names), 3), -1, dtype=np.int32)
    if has_full_name.any():
        subjects[has_full_name] = _names(people, pieces, is_opening=False)[has_full_name]
    if not has_full_name.all():
        pronouns = pieces.add(_spaced(words))
        subjects[~has_full_name, 0] = pronouns[people.is_female[~has_full_name]]
    return subjects


def _namings(people: People, pieces: PieceList, is_named_later: np.ndarray) -> np.ndarray:
    """The sentence that names a person, where there is one."""
    n = len(people.names)
    if not is_named_later.any():
        return np.empty((n, 0), dtype=np.int32)
    before, after = pieces.add([" The person's name is", "."])
    names = _names(people, pieces, is_opening=False)
    namings = np.column_stack([np.full(n, before), names, np.full(n, after)])
    namings[~is_named_later] = -1
    return namings


def _template_pieces(
    pieces: PieceList, folders: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words before and after each value, and how many templates each attribute has."""
    rows = [[row for name in folders for row in templates(a, name)] for a in ATTRIBUTES]
    n_templates = np.array([len(row) for row in rows], dtype=np.int32)
    prefixes = np.full((len(rows), n_templates.max()), -1, dtype=np.int32)
    suffixes = prefixes.copy()
    for a, row in enumerate(rows):
        prefixes[a, : len(row)] = pieces.add([before for before, _ in row])
        suffixes[a, : len(row)] = pieces.add([after for _, after in row])
    return prefixes, suffixes, n_templates


def value_pieces(people: People, pieces: PieceList) -> np.ndarray:
    """Piece numbers of every value; a birth date is two pieces, the others one."""
    size = people.pool_size
    month_days = pieces.add([f" {month} {day}" for month in MONTHS for day in range(1, N_DAYS + 1)])
    years = pieces.add([f", {FIRST_YEAR + year}" for year in range(n_years(size))])
    tables = [pieces.add(_spaced(pool(name, size))) for name in VALUE_POOLS]
    tables.append(pieces.add(_spaced([company for company, _ in employers(size)])))
    company_cities = pieces.add(_spaced([city for _, city in employers(size)]))
    values = np.full((len(people.names), len(ATTRIBUTES), 2), -1, dtype=np.int32)
    month, day, year = people.birth_dates.T
    values[:, 0, 0] = month_days[month * N_DAYS + day]
    values[:, 0, 1] = years[year]
    for column, table in enumerate(tables):
        values[:, 1 + column, 0] = table[people.choices[:, column]]
    values[:, 5, 0] = company_cities[people.choices[:, 3]]
    return values
