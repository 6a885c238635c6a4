"""A problem as a person reads it: its texts, graphs and values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from physlm.data.tasks.igsm.language import MODULUS
from physlm.data.tasks.igsm.parameter import Parameter, Rule
from physlm.data.tasks.igsm.world import WORLD, World


@dataclass(frozen=True)
class Problem:
    """Items that hold items, how many, and a question.

    All graphs and values follow from the sentences.

    Attributes:
        text: The sentences.
        question: The question.
        is_question_first: Whether it comes before the sentences.
        solution: Sentences of a solution, the answer mark and the answer; empty if there is none.
        rules: How each instance parameter follows from others, in the order of the sentences.
        query: The parameter that the question is about.
        world: What the items and categories are.

    Raises:
        ValueError: If a parameter depends on itself, or the question is about none.
    """

    text: str
    question: str
    is_question_first: bool
    solution: str
    rules: Mapping[Parameter, Rule]
    query: Parameter
    world: World = WORLD

    def __post_init__(self) -> None:
        try:
            _ = self.values
        except CycleError as error:
            cycle = " <- ".join(parameter.name for parameter in error.args[1])
            raise ValueError(f"the problem has no solution because of a cycle: {cycle}") from None
        if self.query not in self.values:
            raise ValueError(f"the question is about {self.query.name}, which no sentence gives")

    @cached_property
    def structure(self) -> Mapping[str, tuple[str, ...]]:
        """The structure graph: the items of the next layer that each item holds, if any.

        An item that holds nothing is known if a sentence or the question names it.
        """
        named = [self.query, *(p for rule in self.rules.values() for p in rule.parents)]
        held: dict[str, tuple[str, ...]] = {parameter.owner: () for parameter in named}
        for owner, owned, _ in self.rules:
            held[owner] = (*held.get(owner, ()), owned)
            held.setdefault(owned, ())
        return held

    @cached_property
    def dependencies(self) -> Mapping[Parameter, tuple[Parameter, ...]]:
        """The dependency graph: the parameters that each one is computed from."""
        direct = {parameter: rule.parents for parameter, rule in self.rules.items()}
        return direct | {abstract: tuple(self._summed(abstract)) for abstract in self._abstract}

    @cached_property
    def values(self) -> Mapping[Parameter, int]:
        """The value of every parameter, in an order in which they can be computed."""
        found: dict[Parameter, int] = {}
        for parameter in TopologicalSorter(self.dependencies).static_order():
            if parameter in self.rules:
                found[parameter] = self.rules[parameter].value(found)
            elif parameter in self.dependencies:
                found[parameter] = self._sum(parameter, found)
            else:
                raise ValueError(f"the problem names {parameter.name}, which no sentence gives")
        return found

    @property
    def answer(self) -> int:
        """The value that the question asks for."""
        return self.values[self.query]

    @cached_property
    def necessary(self) -> frozenset[Parameter]:
        """The query and all that it depends on."""
        found, waiting = {self.query}, [self.query]
        while waiting:
            new = set(self.dependencies[waiting.pop()]) - found
            found |= new
            waiting += new
        return frozenset(found)

    @cached_property
    def _abstract(self) -> tuple[Parameter, ...]:
        """Every abstract parameter, by item and level."""
        layers = {item: self.world.items[item].layer for item in self.structure}
        last = max(layers.values())
        return tuple(
            Parameter(item, self._category(item, level), level)
            for item, layer in layers.items()
            for level in range(1, last - layer + 1)
        )

    def _category(self, item: str, level: int) -> str:
        """The category that is some layers below an item."""
        hierarchy, layer = self.world.items[item]
        return self.world.hierarchies[hierarchy][layer + level].name

    def _summed(self, abstract: Parameter) -> Iterator[Parameter]:
        """What it is computed from: of each held item how many, and how many each of these has."""
        for item in self.structure[abstract.owner]:
            yield Parameter(abstract.owner, item)
            if abstract.level > 1:
                yield self._further(abstract, item)

    def _sum(self, abstract: Parameter, values: Mapping[Parameter, int]) -> int:
        total = 0
        for item in self.structure[abstract.owner]:
            each = values[self._further(abstract, item)] if abstract.level > 1 else 1
            total += values[Parameter(abstract.owner, item)] * each
        return total % MODULUS

    def _further(self, abstract: Parameter, item: str) -> Parameter:
        """The abstract parameter of a held item, of the same category."""
        return Parameter(item, abstract.owned, abstract.level - 1)
