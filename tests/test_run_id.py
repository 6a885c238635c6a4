"""Names of runs that outlive new fields."""

from dataclasses import dataclass, field
from enum import Enum

from physlm.run_id import LATER, identity


class Kind(str, Enum):
    a = "a"


@dataclass
class Part:
    kind: Kind = Kind.a
    sizes: tuple[int, ...] = (1, 2)


@dataclass
class Before:
    n: int = 1
    parts: dict[str, Part] = field(default_factory=lambda: {"x": Part()})


@dataclass
class After(Before):
    is_new: bool = field(default=False, metadata=LATER)


def test_identities_are_plain_values():
    plain = {"n": 1, "parts": {"x": {"kind": "a", "sizes": [1, 2]}}}
    assert identity(Before()) == plain
    assert type(identity(Before())["parts"]["x"]["kind"]) is str


def test_a_field_that_came_later_names_runs_only_where_it_is_set():
    assert identity(After()) == identity(Before())
    assert identity(After(is_new=True)) == {**identity(Before()), "is_new": True}
    assert identity(After(n=2)) == identity(Before(n=2)) != identity(After())
