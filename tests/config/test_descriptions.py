"""Descriptions of keys are what the source says about them."""

from dataclasses import dataclass, fields
from enum import Enum

from physlm.config.descriptions import descriptions
from physlm.registry import FOLDERS, schemas
from physlm.schema import Schema


class Colour(str, Enum):
    """The colour of a coin. It does not matter."""

    red = "red"


class Coins:
    """Coins.

    Attributes:
        n_sides: Sides of a coin,
            at least two.
    """


@dataclass(kw_only=True, slots=True)
class CoinConfig(Schema):
    """Throws; see `Coins` for its fields.

    Attributes:
        bias: Probability of heads.
        n_throws: Overruled by the comment.
    """

    n_throws: int = 1  # throws of one epoch
    # Of each throw,
    # in seconds.
    duration: float = 1.0  # at least
    bias: float = 0.5
    n_sides: int = 2
    colour: Colour | None = None
    word: str = "# no comment"


@dataclass(kw_only=True, slots=True)
class UnfairConfig(CoinConfig):
    bias: float = 0.6  # unfair


def test_comments_come_before_entries_of_docstrings_and_those_before_types():
    assert descriptions(CoinConfig) == {
        "n_throws": "throws of one epoch",
        "duration": "Of each throw, in seconds. at least",
        "bias": "Probability of heads.",
        "n_sides": "Sides of a coin, at least two.",
        "colour": "The colour of a coin",
        "word": "",
    }


def test_a_subclass_keeps_the_descriptions_that_it_does_not_replace():
    assert descriptions(UnfairConfig) == descriptions(CoinConfig) | {"bias": "unfair"}


def test_every_field_of_every_schema_is_described():
    for group in FOLDERS:
        for name, schema in schemas(group).items():
            found = descriptions(schema)
            assert [*found] == [field.name for field in fields(schema)], name
            assert all(found.values()), f"{group}={name}: {found}"
