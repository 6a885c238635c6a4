"""Brevo: the ancestors of a vertex, in topological order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from physlm.data.corpus import Documents, require_at_least
from physlm.data.tasks.brevo_documents import MOST_PARENTS, brevo_documents
from physlm.data.tasks.names import SMALLEST, Name, NameLaw, cumulative_sizes, split_names
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.registry import register


class QueriedVertex(str, Enum):
    """Which vertex is queried: the ``last`` of the order, or any of its ``last_quarter``."""

    last = "last"
    last_quarter = "last_quarter"


class Rounding(str, Enum):
    """How the largest number of sources is rounded."""

    down = "down"
    up = "up"


class Question(NamedTuple):
    """A graph and the vertex that is queried.

    Attributes:
        parents: The parents of every vertex that has some.
        query: The vertex.
    """

    parents: Mapping[Name, tuple[Name, ...]]
    query: Name

    @property
    def levels(self) -> list[set[Name]]:
        """The query, its parents, their parents, and so on; without those that came before."""
        levels, seen = [{self.query}], {self.query}
        while levels[-1]:
            above = {parent for v in levels[-1] for parent in self.parents.get(v, ())} - seen
            seen |= above
            levels.append(above)
        return levels[:-1]

    @property
    def answer(self) -> set[Name]:
        """The query and all of its ancestors."""
        return set().union(*self.levels)

    @property
    def depth(self) -> int:
        """Edges from the query to the nearest source."""
        sources = ({v for v in level if v not in self.parents} for level in self.levels)
        return next(i for i, found in enumerate(sources) if found)

    def accepts(self, names: list[Name]) -> bool:
        """Whether the names are those of the answer, each after all of its parents."""
        place = {name: i for i, name in enumerate(names)}
        if len(place) < len(names) or place.keys() != self.answer:
            return False
        return all(place[p] < i for v, i in place.items() for p in self.parents.get(v, ()))


@dataclass(frozen=True, kw_only=True)
class Brevo(SyntheticTask):
    """All ancestors of a vertex of a directed acyclic graph, parents first.

    A document is ``bos``, all edges (parent and child) in random order, ``<query>``, a vertex,
    ``<ans>``, its ancestors and itself in a random topological order, ``<eos>``. Loss is on what
    follows the vertex. The vertices have an order; the first ones, at most a quarter and one more,
    are sources, and each other one has 1 to 4 parents among those before it that have fewer than 4
    children. Brevo1 has names of one token, Brevo2 names of 2 to 4 tokens of 4 symbols.

    Attributes:
        n_max: Largest number of vertices, N; n is drawn from 3 to N, see ``size_law``.
        shortest_name: Tokens of the shortest name.
        longest_name: Tokens of the longest name.
        n_symbols: Symbols of each alphabet of names; None for N.
        queried: Which vertex is queried.
        sources: How the largest number of sources, a quarter of n - 1 and one more, is rounded.
        has_own_eos: Whether the end is a token of its own, or ``<ans>`` once more.
        accepts_duplicates: Whether an answer may repeat vertices.
        most_tokens: Longer documents are drawn again; None for no limit.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the task Brevo.
    """

    n_max: int = 70
    shortest_name: int = 1
    longest_name: int = 1
    n_symbols: int | None = None
    queried: QueriedVertex = QueriedVertex.last
    sources: Rounding = Rounding.down
    has_own_eos: bool = True
    accepts_duplicates: bool = False
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        require_at_least(self, SMALLEST, "n_max")
        self.law.validate(self.n_max)

    @property
    def law(self) -> NameLaw:
        """How names are drawn."""
        n_symbols = self.n_max if self.n_symbols is None else self.n_symbols
        return NameLaw(self.shortest_name, self.longest_name, n_symbols)

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens of names."""
        return self.law.words

    @property
    def marks(self) -> tuple[str, ...]:
        """``<query>``, ``<ans>``, and ``<eos>`` if it is a token of its own."""
        return ("<query>", "<ans>", "<eos>") if self.has_own_eos else ("<query>", "<ans>")

    @property
    def answer_marks(self) -> tuple[str, ...]:
        """``<ans>`` alone."""
        return ("<ans>",)

    @property
    def end(self) -> int:
        """The id of the token that ends an answer."""
        return self.mark("<eos>" if self.has_own_eos else "<ans>")

    @property
    def longest(self) -> int:
        """Tokens of a document of N vertices with all possible edges, and names of mean length."""
        return self._n_tokens(-(-(self.shortest_name + self.longest_name) // 2))

    @property
    def longest_generated(self) -> int:
        """Tokens of the longest prompt, with an answer of twice the longest length."""
        room = self._n_tokens(self.longest_name)
        room = room if self.most_tokens is None else min(room, self.most_tokens)
        return room + self.n_max * self.longest_name + 1

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The number of vertices."""
        return {"size": (SMALLEST, self.n_max)}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One, of graphs with N vertices."""
        return (Evaluation({"size": self.n_max}, {}),)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``."""
        room, ans = self._n_tokens(self.longest_name), self.mark("<ans>")
        tokens, starts = brevo_documents(
            np.uint64(key),
            first,
            last - first,
            cumulative_sizes(self.n_max, difficulty.get("size")),
            (*self.law, self.law.last),
            (self.sources is Rounding.up, self.queried is QueriedVertex.last_quarter),
            (self.bos, self.mark("<query>"), ans, self.end),
            (room, room if self.most_tokens is None else self.most_tokens),
        )
        is_target = self.is_answer(tokens) | (tokens == ans) | (tokens == self.end)
        return Documents(tokens, starts, is_target=is_target)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is a topological order of all ancestors and the query, and ends."""
        question, names = self.question(prompt), self.vertices(answer)
        if names is None:
            return False
        if self.accepts_duplicates:
            names = list(dict.fromkeys(names))
        return question.accepts(names)

    def chance(self, difficulty: Difficulty) -> float:  # noqa: ARG002
        """Zero: no answer fits many graphs."""
        return 0.0

    def vertices(self, answer: Int[np.ndarray, " answer"]) -> list[Name] | None:
        """The vertices of an answer; None if it lacks its end, or contains anything else."""
        found = np.asarray(answer)
        if not len(found) or found[-1] != self.end:
            return None
        return split_names(found[:-1], self.law)

    def question(self, prompt: Int[np.ndarray, " prompt"]) -> Question:
        """The graph and the query of a prompt, which ends with ``<ans>``.

        Raises:
            ValueError: If the prompt has another form.
        """
        require_prompt(self, prompt)
        own = self.last_document(prompt)
        at = np.flatnonzero(own == self.mark("<query>"))
        if not len(at):
            raise ValueError("a prompt of Brevo has a <query> before <ans>; add it")
        edges, query = (split_names(part, self.law) for part in (own[: at[0]], own[at[0] + 1 : -1]))
        if edges is None or query is None or len(edges) % 2 or len(query) != 1:
            raise ValueError("a prompt of Brevo has pairs of names, <query>, a name, and <ans>")
        parents: dict[Name, list[Name]] = {}
        for parent, child in zip(edges[::2], edges[1::2], strict=True):
            parents.setdefault(child, []).append(parent)
        try:
            TopologicalSorter(parents).prepare()
        except CycleError as error:
            raise ValueError("the edges of a prompt of Brevo have a cycle; remove it") from error
        return Question({v: tuple(own) for v, own in parents.items()}, query[0])

    def _n_tokens(self, n_of_name: int) -> int:
        """Tokens of a document of N vertices with all possible edges, and names of one length."""
        n_edges = sum(min(MOST_PARENTS, before) for before in range(self.n_max))
        return 4 + n_of_name * (2 * n_edges + 1 + self.n_max)


@register("data", "brevo")
@dataclass(kw_only=True, slots=True)
class BrevoConfig(TaskConfig):
    """Documents of Brevo; see `Brevo` for its fields. None is longer than a window."""

    n_max: int = 70
    shortest_name: int = 1
    longest_name: int = 1
    n_symbols: int | None = None
    queried: QueriedVertex = QueriedVertex.last
    sources: Rounding = Rounding.down
    has_own_eos: bool = True
    accepts_duplicates: bool = False
    seq_len: int = 1024

    @property
    def task(self) -> Brevo:
        """The task."""
        values: dict[str, Any] = self.own_values(Brevo)
        return Brevo(**values, most_tokens=self.seq_len + 1)
