"""bioS: synthetic biographies written from sentence templates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.data.people.augmentation import AugmentationConfig, Subject
from physlm.data.people.bios_pieces import (
    PRONOUNS,
    PRONOUNS_FRENCH,
    People,
    later_subjects,
    n_years,
    namings,
    openings,
    template_pieces,
    value_pieces,
)
from physlm.data.people.knowledge import Attribute, KnowledgeCorpus, PieceList
from physlm.data.people.people import PeopleConfig, Population, draw_names
from physlm.data.people.pools import (
    ATTRIBUTES,
    N_DAYS,
    N_MONTHS,
    NAME_PARTS,
    VALUE_POOLS,
    employers,
    pool,
)
from physlm.data.people.question_vocabulary import question_words, require_version
from physlm.data.people.sentences import Sentences, Translation
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.registry import register
from physlm.rng import stream
from physlm.run_id import LATER


@register("data", "bios")
@dataclass(kw_only=True, slots=True)
class BiosConfig(PeopleConfig):
    """bioS(N): people with six attributes, each stated in one sentence.

    The world may have a minority of further people, whose biographies have an augmentation of
    their own: in Part 3.1 celebrities have five texts each, the minority one.

    Source:
        Physics of Language Models, Part 3.1, section 2 and Part 3.3, section 2.1.
    """

    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    n_minority: int = 0  # further people, with the augmentation below
    minority_augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    pool_size: int | None = None  # use the first entries of each list of names, values and years
    majority_repeats: int = 1  # documents of an epoch about each of the n_people; minority: one
    include_question_vocabulary: bool = False  # add the words of questions to the vocabulary
    question_vocabulary: int = field(default=1, metadata=LATER)  # version of these words
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """Require people, repeats and lists in range."""
        PeopleConfig.validate(self)
        require_at_least(self, 1, "majority_repeats")
        require_at_least(self, 0, "n_minority")
        if self.pool_size is not None:
            require_at_least(self, 2, "pool_size")
        require_version(self.question_vocabulary, is_used=self.include_question_vocabulary)
        if self.majority_repeats > 1 and not self.n_minority:
            raise ValueError(
                f"majority_repeats={self.majority_repeats} without a minority; set n_minority, or "
                "raise exposures instead"
            )
        if self.frequencies is not None and self.n_minority:
            raise ValueError(
                f"frequencies={self.frequencies} with n_minority={self.n_minority}; both set how "
                "often people occur in an epoch; leave one of them out"
            )

    @property
    def name_choices(self) -> tuple[int, ...]:
        """Choices for the first, middle and last name."""
        return tuple(len(pool(part, self.pool_size)) for part in NAME_PARTS)

    @property
    def fact_choices(self) -> tuple[int, ...]:
        """Choices for month, day and year of birth, four other attributes, and the gender."""
        return (N_MONTHS, N_DAYS, n_years(self.pool_size), *_n_values(self.pool_size), 2)

    def sizes(self) -> dict[str, int]:
        """Minimum bytes of all facts and of the order of documents."""
        n_facts = len(self.fact_choices)
        return PeopleConfig.sizes(self) | {
            f"n_minority={self.n_minority}": 8 * self.n_minority * n_facts,
            f"majority_repeats={self.majority_repeats} for n_people={self.n_people}": 8
            * self.n_people
            * self.majority_repeats,
        }

    def drawn(self, seed: int) -> Population:
        """All people, the minority last."""
        people = draw_people(self, seed)
        facts = (people.birth_dates, people.choices, people.is_female)
        return Population(people.names, np.column_stack(facts))

    def corpus(self, seed: int, reserved: Sequence[str] = ()) -> KnowledgeCorpus:
        """The people of a seed, with every piece of their biographies tokenised."""
        people = self.drawn(seed)
        is_minority = np.arange(len(people.names)) >= self.n_people
        groups = (self.augmentation, self.minority_augmentation)[: 1 + is_minority.any()]
        pieces = PieceList()
        about = self._about(people, is_minority, pieces)
        version, size = self.question_vocabulary, self.pool_size
        questions = question_words(version, size) if self.include_question_vocabulary else []
        vocabulary = Vocabulary.build(self.tokenizer, [*pieces.texts, *questions], reserved)
        sentences = Sentences(
            pieces=Pieces(vocabulary, list(pieces.texts)),
            n_name_parts=people.names.shape[1],
            augmentations=tuple(group.augmentation for group in groups),
            **about,
        )
        has_gender = any(augmentation.has_pronoun for augmentation in sentences.augmentations)
        repeats = np.where(is_minority, 1, self.majority_repeats)
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=sentences,
            attributes=attributes_of(self.pool_size, has_gender=has_gender),
            n_names=math.prod(self.name_choices),
            diversity=None,
            document_ends=self.document_ends() if self.frequencies else repeats.cumsum(),
        )

    def sentences_about(self, corpus: KnowledgeCorpus, others: Population) -> Sentences:
        """Sentences with the same templates and lists about other people, none in a minority."""
        assert isinstance(corpus.sentences, Sentences)
        pieces = PieceList(corpus.sentences.pieces.texts)
        about = self._about(others, np.zeros(len(others.names), dtype=bool), pieces)
        return replace(corpus.sentences, **about)

    def _about(
        self, drawn: Population, is_minority: np.ndarray, pieces: PieceList
    ) -> dict[str, Any]:
        """The fields of `Sentences` that depend on the people, and the templates.

        Pieces are numbered in order of first use, and the numbers are part of the fingerprint:
        the order of the calls below must stay.
        """
        people = People.of(drawn, self.pool_size)
        groups = is_minority.astype(np.int8)
        augmentations = (self.augmentation, self.minority_augmentation)
        is_named_later = np.array([one.name_position > 0 for one in augmentations])[groups]
        has_full_name = np.array([one.subject is Subject.full_name for one in augmentations])
        has_full_name = has_full_name[groups]
        first_subjects = openings(people, pieces, is_named_later)
        subjects = later_subjects(people, pieces, has_full_name, PRONOUNS)
        name_sentences = namings(people, pieces, is_named_later)
        prefixes, suffixes, n_templates = template_pieces(pieces, ["templates"])
        translation = None
        if any(one.second_language for one in augmentations):
            n_first = n_templates
            prefixes, suffixes, n_templates = template_pieces(
                pieces, ["templates", "templates_french"]
            )
            translated = later_subjects(people, pieces, has_full_name, PRONOUNS_FRENCH)
            translation = Translation(translated, n_first, n_templates - n_first)
            n_templates = n_first
        return {
            "openings": first_subjects,
            "subjects": subjects,
            "namings": name_sentences,
            "values": value_pieces(people, pieces),
            "prefixes": prefixes,
            "suffixes": suffixes,
            "n_templates": n_templates,
            "groups": groups,
            "translation": translation,
        }


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
    """Numbers of birth cities, universities, majors and employers in use."""
    return (*(len(pool(name, pool_size)) for name in VALUE_POOLS), len(employers(pool_size)))


def attributes_of(size: int | None, *, has_gender: bool) -> tuple[Attribute, ...]:
    """The attributes of every person, with the number of values of each.

    Args:
        size: Entries of each list in use; None for all.
        has_gender: Whether a pronoun states the gender in some text.
    """
    n_employers = len(employers(size))
    n_dates = N_MONTHS * N_DAYS * n_years(size)
    n_values = (n_dates, *(len(pool(name, size)) for name in VALUE_POOLS), n_employers)
    counted = [Attribute(name, n) for name, n in zip(ATTRIBUTES[:5], n_values, strict=True)]
    company_city = Attribute("company_city", n_employers, is_counted=False)
    gender = [Attribute("gender", len(PRONOUNS))] if has_gender else []
    return (*counted, company_city, *gender)
