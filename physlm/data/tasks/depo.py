"""Depo: the k-th successor on a cycle of names."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from physlm.data.compilation import compiled
from physlm.data.corpus import Documents, require_at_least
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tasks.names import (
    SMALLEST,
    Name,
    NameLaw,
    cumulative_sizes,
    draw_names,
    drawn_size,
    shuffle,
    split_names,
    write_name,
)
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.registry import register


@dataclass(frozen=True, kw_only=True)
class Depo(SyntheticTask):
    """The k-th successor of a name, on a cycle that is given by its edges in random order.

    A document is ``bos``, the n edges (a name and its successor), then queries of distinct random
    names: ``<query_k>``, the name, ``<ans>``, the answer. Loss is on ``<ans>`` and the answer.
    Depo1 has names of 1 to 2 tokens of 50 symbols, Depo2 names of 5 to 7 tokens of 3 symbols.

    Attributes:
        n_max: Largest number of names, N; n is drawn from 3 to N, see `size_law`.
        k_max: Largest number of steps, K; k is uniform from 1 to K.
        shortest_name: Tokens of the shortest name.
        longest_name: Tokens of the longest name.
        n_symbols: Symbols of each of the two alphabets of names.
        n_queries: Queries of a document, or n of them if there are fewer names.
        has_eos: Whether ``<eos>`` ends a document, with loss.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the task Depo.
    """

    n_max: int = 225
    k_max: int = 8
    shortest_name: int = 1
    longest_name: int = 2
    n_symbols: int = 50
    n_queries: int = 10
    has_eos: bool = False

    def __post_init__(self) -> None:
        require_at_least(self, SMALLEST, "n_max")
        require_at_least(self, 1, "k_max", "n_queries")
        self.law.validate(self.n_max)

    @property
    def law(self) -> NameLaw:
        """How names are drawn."""
        return NameLaw(self.shortest_name, self.longest_name, self.n_symbols)

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens of names."""
        return self.law.words

    @property
    def marks(self) -> tuple[str, ...]:
        """``<ans>``, the queries, and ``<eos>`` if there is one."""
        queries = [f"<query_{k}>" for k in range(1, self.k_max + 1)]
        return ("<ans>", *queries, *(["<eos>"] if self.has_eos else []))

    @property
    def answer_marks(self) -> tuple[str, ...]:
        """``<ans>``, the same for all queries."""
        return ("<ans>",)

    @property
    def longest(self) -> int:
        """Tokens of a document of N names, all of them of the longest kind."""
        n_asked = min(self.n_queries, self.n_max)
        edges = 2 * self.n_max * self.longest_name
        return 1 + edges + n_asked * (2 + 2 * self.longest_name) + self.has_eos

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The number of names, and the number of steps of all queries."""
        return {"size": (SMALLEST, self.n_max), "k": (1, self.k_max)}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """N names, with 1, 2, 4, ... and K steps."""
        powers = [2**i for i in range(self.k_max.bit_length())]
        steps = sorted({*powers, self.k_max})
        return tuple(Evaluation({"size": self.n_max, "k": k}, {"k": k}) for k in steps)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``."""
        fewest, most = difficulty.get("k", 1), difficulty.get("k", self.k_max)
        eos = self.mark("<eos>") if self.has_eos else -1
        tokens, starts = _documents(
            np.uint64(key),
            first,
            last - first,
            cumulative_sizes(self.n_max, difficulty.get("size")),
            (*self.law, self.law.last),
            (self.n_queries, fewest, most),
            (self.bos, self.mark("<ans>"), self.mark("<query_1>"), eos),
            self.longest,
        )
        is_target = self.is_answer(tokens) | (tokens == self.mark("<ans>")) | (tokens == eos)
        return Documents(tokens, starts, is_target=is_target)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is exactly the k-th successor of the queried name."""
        successor, at, k = self._question(prompt)
        for _ in range(k):
            at = successor[at]
        return tuple(np.asarray(answer).tolist()) == at

    def chance(self, difficulty: Difficulty) -> float:
        """Probability of guessing one of the names of the document."""
        return 1 / difficulty.get("size", self.n_max)

    def _question(self, prompt: np.ndarray) -> tuple[dict[Name, Name], Name, int]:
        """The successor of every name, the name that is queried last, and the number of steps.

        Raises:
            ValueError: If the prompt has another form.
        """
        require_prompt(self, prompt)
        own, ans = self.last_document(prompt), self.mark("<ans>")
        queries = np.flatnonzero((own > ans) & (own <= ans + self.k_max))
        if not len(queries):
            raise ValueError("a prompt of Depo has a query before <ans>; add it")
        names = split_names(own[: queries[0]], self.law)
        if names is None or len(names) % 2:
            raise ValueError("a prompt of Depo has pairs of names before its first query")
        successor = dict(zip(names[::2], names[1::2], strict=True))
        if len(successor) < len(names) // 2 or {*successor.values()} != successor.keys():
            raise ValueError(
                "a prompt of Depo has every name twice in its edges: before its successor, and "
                "after its predecessor"
            )
        queried = split_names(own[queries[-1] + 1 : -1], self.law)
        if queried is None or len(queried) != 1 or queried[0] not in successor:
            raise ValueError("a prompt of Depo has one name of the edges between query and <ans>")
        return successor, queried[0], int(own[queries[-1]]) - ans


@register("data", "depo")
@dataclass(kw_only=True, slots=True)
class DepoConfig(TaskConfig):
    """Documents of Depo; see `Depo` for its fields."""

    n_max: int = 225
    k_max: int = 8
    shortest_name: int = 1
    longest_name: int = 2
    n_symbols: int = 50
    n_queries: int = 10
    has_eos: bool = False
    seq_len: int = 2048

    def validate(self) -> None:
        """Require every value in its range, and fewer steps than the longest cycle has."""
        if self.k_max >= self.n_max:
            raise ValueError(f"k_max={self.k_max}; must be below n_max={self.n_max}")
        TaskConfig.validate(self)

    @property
    def task(self) -> Depo:
        """The task."""
        return Depo(**self.own_values(Depo))


@compiled
def _documents(key, first, n_documents, sizes, law, queries, marks, longest):  # type: ignore[no-untyped-def]
    """Tokens of all documents, and where each starts.

    Args:
        key: Key of the random streams.
        first: Number of the first document.
        n_documents: Number of documents.
        sizes: Cumulative law of the number of names.
        law: See `draw_names`.
        queries: Queries of a document; fewest and most steps.
        marks: Ids of ``bos``, ``<ans>``, ``<query_1>`` and ``<eos>``; -1 for no ``<eos>``.
        longest: Tokens of the longest document.
    """
    n_queries, fewest, most = queries
    bos, ans, query_1, eos = marks
    n_max = SMALLEST + len(sizes) - 1
    starts = np.zeros(n_documents + 1, dtype=np.int64)
    tokens = np.empty(longest, dtype=np.int32)
    names = np.empty((n_max, law[1]), dtype=np.int64)
    lengths, codes = np.empty(n_max, dtype=np.int64), np.empty(n_max, dtype=np.int64)
    cycle, order = np.empty(n_max, dtype=np.int64), np.empty(n_max, dtype=np.int64)
    for i in range(n_documents):
        # Room for the longest document is made before each: names are written without checks.
        tokens = grown(tokens, starts[i], longest)
        state, n = drawn_size(stream_of(key, first + i), sizes)
        state = draw_names(state, n, law, names, lengths, codes)
        for j in range(n):
            cycle[j] = j
            order[j] = j
        # Short names tend to be drawn first, so the order of drawing is not a random cycle.
        state = shuffle(state, cycle, n)
        state = shuffle(state, order, n)
        at = starts[i]
        tokens[at] = bos
        at += 1
        for j in range(n):
            at = write_name(tokens, at, names, lengths, cycle[order[j]])
            at = write_name(tokens, at, names, lengths, cycle[(order[j] + 1) % n])
        state = shuffle(state, order, n)  # the first of them are queried
        for j in range(min(n, n_queries)):
            state, bits = next_bits(state)
            k = fewest + below(bits, most - fewest + 1)
            tokens[at] = query_1 + k - 1
            at = write_name(tokens, at + 1, names, lengths, cycle[order[j]])
            tokens[at] = ans
            at = write_name(tokens, at + 1, names, lengths, cycle[(order[j] + k) % n])
        if eos >= 0:
            tokens[at] = eos
            at += 1
        starts[i + 1] = at
    return tokens[: starts[-1]], starts
