"""Descriptions of keys are what the source says about them."""

from dataclasses import dataclass, fields
from enum import Enum
from itertools import chain
from typing import get_args, get_type_hints

from physlm.config import RunConfig
from physlm.config.descriptions import descriptions
from physlm.data.people.augmentation import AugmentationConfig
from physlm.models.mixers.linear_config import GatedDeltaConfig
from physlm.registry import FOLDERS, schemas
from physlm.schema import Schema
from physlm.train.schedule import OptimConfig


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


def test_every_key_is_described():
    registered = [schema for group in FOLDERS for schema in schemas(group).values()]
    ours = [kind for kind in (RunConfig, *registered) if kind.__module__.startswith("physlm.")]
    kinds = set(ours).union(*map(nested, ours))
    assert {AugmentationConfig, OptimConfig, GatedDeltaConfig} < kinds
    for kind in kinds:
        assert [*descriptions(kind)] == [field.name for field in fields(kind)], kind
    unknown = [
        (kind, key) for kind in kinds for key, text in descriptions(kind).items() if not text
    ]
    assert unknown == []


def nested(schema, found=frozenset()):
    """The schemas of the fields of a schema, and of their fields."""
    hints = [(hint, *get_args(hint)) for hint in get_type_hints(schema).values()]
    kinds = {kind for kind in chain(*hints) if isinstance(kind, type) and issubclass(kind, Schema)}
    new = kinds - found - {schema}
    return new.union(*(nested(kind, found | new | {schema}) for kind in new))
