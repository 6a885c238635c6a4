"""Parameters of a problem, and how one follows from others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from physlm.data.tasks.igsm.language import MODULUS


class Parameter(NamedTuple):
    """How many things each of some items has.

    Attributes:
        owner: The item that has them.
        owned: An item of the next layer, or a category below.
        level: 0 for an instance parameter, whose ``owned`` is an item; for an abstract one, the
            number of layers from the item down to the category.
    """

    owner: str
    owned: str
    level: int = 0

    @property
    def is_abstract(self) -> bool:
        """Whether it counts things of a category."""
        return self.level > 0

    @property
    def name(self) -> str:
        """Its name in solutions, such as Stone Wharf's Swift Sloop."""
        return f"{self.owner}'s {self.owned}"


@dataclass(frozen=True, slots=True)
class Rule:
    """How an instance parameter follows from others, as its sentence says.

    Attributes:
        parents: The parameters that it is computed from, in the order of the sentence.
        constant: Added to the rest, or multiplied by it; None if there is none.
        is_product: Whether it is multiplied.
        is_difference: Whether the second parent is subtracted from the first.
    """

    parents: tuple[Parameter, ...] = ()
    constant: int | None = None
    is_product: bool = False
    is_difference: bool = False

    def value(self, values: Mapping[Parameter, int]) -> int:
        """The value, modulo 23.

        Args:
            values: Values of all parents.
        """
        first, *others = [values[parent] for parent in self.parents] or [0]
        total = first - sum(others) if self.is_difference else first + sum(others)
        if self.constant is not None:
            total = total * self.constant if self.is_product else total + self.constant
        return total % MODULUS
