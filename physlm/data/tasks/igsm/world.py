"""The world: hierarchies of categories, their subcategories, and the items of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from physlm.data.tasks.igsm.words import HIERARCHIES


class Place(NamedTuple):
    """Where an item or category stands.

    Attributes:
        hierarchy: Number of the hierarchy.
        layer: Number of the category in it, from the top.
    """

    hierarchy: int
    layer: int


@dataclass(frozen=True)
class Category:
    """One layer of a hierarchy.

    Attributes:
        name: Name of the category, such as Vessel.
        subcategories: The items of each subcategory, such as Swift Sloop.
    """

    name: str
    subcategories: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class World:
    """Items in categories, in hierarchies; items of one layer hold items of the next.

    Attributes:
        hierarchies: The categories of each hierarchy, from the top.
    """

    hierarchies: tuple[tuple[Category, ...], ...]

    @cached_property
    def items(self) -> dict[str, Place]:
        """The place of every item."""
        return {
            item: place
            for place, category in self._layers()
            for subcategory in category.subcategories
            for item in subcategory
        }

    @cached_property
    def categories(self) -> dict[str, Place]:
        """The place of every category."""
        return {category.name: place for place, category in self._layers()}

    @cached_property
    def name_words(self) -> tuple[str, ...]:
        """Words of names: categories, then those of items, in order of appearance."""
        of_items = (word for item in self.items for word in item.split())
        return tuple(dict.fromkeys((*self.categories, *of_items)))

    def _layers(self) -> Iterator[tuple[Place, Category]]:
        for h, categories in enumerate(self.hierarchies):
            for layer, category in enumerate(categories):
                yield Place(h, layer), category


def _category(name: str, modifiers: str, nouns: tuple[str, ...]) -> Category:
    subcategories = tuple(
        tuple(f"{modifier} {noun}" for noun in own.split() for modifier in modifiers.split())
        for own in nouns
    )
    return Category(name, subcategories)


WORLD = World(tuple(tuple(_category(*own) for own in layers) for layers in HIERARCHIES))
