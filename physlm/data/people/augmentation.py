"""Augmentation of biographies: paraphrases, permutations, full names, reversals."""

from dataclasses import dataclass, field
from enum import Enum

from physlm.data.corpus import require_at_least
from physlm.data.people.pools import ATTRIBUTES
from physlm.run_id import LATER
from physlm.schema import Schema


class Order(str, Enum):
    """Order of the sentences of a text.

    ``random``: drawn for each text. ``fixed``: the order of the attributes. ``coupled``: pairs of
    attributes in an order drawn for each text, each pair in its fixed order.
    """

    random = "random"
    fixed = "fixed"
    coupled = "coupled"


class Subject(str, Enum):
    """Subject of every sentence after the first."""

    pronoun = "pronoun"
    full_name = "full_name"


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The augmentation of a group of people, as `Sentences` applies it.

    Attributes:
        order: Order of the sentences.
        n_paraphrases: Draws of templates for each person; 0 draws them for every text.
        n_permutations: Draws of the order for each paraphrase.
        n_languages: 2 if every text is repeated in the second language, sentence by sentence.
        n_omitted: Number of last attributes that no text states.
        name_position: Sentences before the one that names the person; 0 opens with the name.
        has_pronoun: Whether the subject of later sentences is a pronoun, which states the gender.
    """

    order: Order = Order.random
    n_paraphrases: int = 0
    n_permutations: int = 1
    n_languages: int = 1
    n_omitted: int = 0
    name_position: int = 0
    has_pronoun: bool = False

    @property
    def n_texts(self) -> int:
        """Distinct texts of a person, which then repeat; 0 if each exposure has a new one."""
        return self.n_paraphrases * self.n_permutations * self.n_languages


@dataclass(kw_only=True, slots=True)
class AugmentationConfig(Schema):
    """The augmentations of bioS, by the papers' names.

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

    n_paraphrases: int = 0  # draws of templates for each person; 0 draws them at every exposure
    n_permutations: int = 1  # draws of the sentence order for each paraphrase
    order: Order = Order.random
    # Every text is followed by its French translation, at the next exposure.
    second_language: bool = field(default=False, metadata=LATER)
    # No text states the company city; it follows from other people with the same employer.
    omits_company_city: bool = field(default=False, metadata=LATER)
    subject: Subject = Subject.pronoun
    name_position: int = 0  # sentences before the one that names the person; 0 opens with the name

    def validate(self) -> None:
        """Require every value in its range."""
        require_at_least(self, 0, "n_paraphrases", "name_position")
        require_at_least(self, 1, "n_permutations")
        if self.n_permutations > 1 and (self.n_paraphrases == 0 or self.order is Order.fixed):
            raise ValueError(
                f"n_permutations={self.n_permutations} needs n_paraphrases >= 1 and an order "
                "that is drawn; set order=random or coupled"
            )
        if self.name_position > len(ATTRIBUTES):
            raise ValueError(
                f"name_position={self.name_position}; a text has {len(ATTRIBUTES)} sentences, so "
                f"it must be at most {len(ATTRIBUTES)}"
            )
        if self.omits_company_city and self.order is Order.coupled:
            raise ValueError(
                "omits_company_city=true with order=coupled would leave a pair with one sentence; "
                "use order=random"
            )
        if self.name_position and self.second_language:
            raise ValueError(
                f"name_position={self.name_position} with second_language=true; translated texts "
                "open with the name, so use name_position=0"
            )
        if self.name_position and self.subject is Subject.full_name:
            raise ValueError(
                f"name_position={self.name_position} with subject=full_name names the person "
                "earlier; use subject=pronoun"
            )

    @property
    def augmentation(self) -> Augmentation:
        """The same augmentation in the form that `Sentences` applies."""
        return Augmentation(
            self.order,
            self.n_paraphrases,
            self.n_permutations,
            1 + self.second_language,
            int(self.omits_company_city),
            self.name_position,
            has_pronoun=self.subject is Subject.pronoun,
        )
