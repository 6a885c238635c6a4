"""Copy: a string of random symbols, to be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from physlm.data.compilation import compiled
from physlm.data.corpus import Documents, require_at_least
from physlm.data.splitmix import below, next_bits, stream_of
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tasks.task_corpus import TaskConfig
from physlm.registry import register


@dataclass(frozen=True, kw_only=True)
class Copy(SyntheticTask):
    """A string of random symbols and its copy, the simplest task that needs earlier tokens.

    A document is ``bos``, n uniform symbols, ``<copy>``, and the same symbols again, with loss on
    these alone. If all strings have the same length, position alone finds the symbol to copy,
    n + 1 tokens back; if lengths vary, it is found by the symbols that were copied last.

    Attributes:
        n_copied: Symbols of the longest string, n.
        fewest_copied: Symbols of the shortest string; lengths are uniform from there to n. None:
            all strings have n.
        n_symbols: Size of the alphabet, V.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the copy toy of its introduction to Canon layers; the
        layout is ours.
    """

    n_copied: int = 500
    fewest_copied: int | None = None
    n_symbols: int = 50

    def __post_init__(self) -> None:
        require_at_least(self, 1, "n_copied")
        require_at_least(self, 2, "n_symbols")
        if self.fewest_copied is not None and not 1 <= self.fewest_copied <= self.n_copied:
            raise ValueError(
                f"fewest_copied={self.fewest_copied}; must be from 1 to n_copied={self.n_copied}"
            )

    @property
    def words(self) -> tuple[str, ...]:
        """The symbols."""
        return tuple(f"s{number}" for number in range(1, self.n_symbols + 1))

    @property
    def marks(self) -> tuple[str, ...]:
        """``<copy>`` alone."""
        return ("<copy>",)

    @property
    def answer_marks(self) -> tuple[str, ...]:
        """``<copy>``, which the copy follows."""
        return self.marks

    @property
    def longest(self) -> int:
        """Tokens of the longest document."""
        return 2 * self.n_copied + 2

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The number of symbols."""
        return {"size": (self.fewest_copied or self.n_copied, self.n_copied)}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One, of fresh strings of the largest size."""
        return (Evaluation({"size": self.n_copied}, {}),)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``."""
        fewest = difficulty.get("size", self.fewest_copied or self.n_copied)
        most = difficulty.get("size", self.n_copied)
        lengths, drawn = _strings(
            np.uint64(key), first, last - first, (fewest, most), self.n_symbols
        )
        places = np.arange(2 * most + 2)
        after = places - lengths[:, None] - 2  # symbols copied before a place
        rows = np.where(after >= 0, np.take_along_axis(drawn, after.clip(0, most - 1), 1), 0)
        is_string = (places >= 1) & (after < -1)
        rows = np.where(is_string, drawn[:, (places - 1).clip(0, most - 1)], rows)
        rows[:, 0], rows[after == -1] = self.bos, self.mark("<copy>")
        is_there = after < lengths[:, None]
        starts = np.concatenate([[0], (2 * lengths + 2).cumsum()])
        is_target = (after >= 0)[is_there]
        return Documents(rows[is_there].astype(np.int32), starts, is_target=is_target)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is the string before ``<copy>``."""
        require_prompt(self, prompt)
        own = self.last_document(prompt)[:-1]
        if not len(own) or (own >= self.n_symbols).any():
            raise ValueError("a prompt of Copy has symbols alone, one or more, before <copy>")
        return np.array_equal(own, answer)

    def chance(self, difficulty: Difficulty) -> float:
        """Probability of guessing all symbols, ``1 / n_symbols`` for each."""
        return float(self.n_symbols) ** -difficulty.get("size", self.n_copied)


@register("data", "copy")
@dataclass(kw_only=True, slots=True)
class CopyConfig(TaskConfig):
    """Strings and their copies; see `Copy` for its fields."""

    n_copied: int = 500
    fewest_copied: int | None = None
    n_symbols: int = 50
    seq_len: int = 1024

    @property
    def task(self) -> Copy:
        """The task."""
        return Copy(**self.own_values(Copy))


@compiled
def _strings(key, first, n_documents, lengths, n_symbols):  # type: ignore[no-untyped-def]
    """The length of each string, uniform between two bounds, and its symbols."""
    fewest, most = lengths
    found = np.empty(n_documents, dtype=np.int64)
    drawn = np.empty((n_documents, most), dtype=np.int32)
    for i in range(n_documents):
        state = stream_of(key, first + i)
        for t in range(most):
            state, bits = next_bits(state)
            drawn[i, t] = below(bits, n_symbols)
        _, bits = next_bits(state)
        found[i] = fewest + below(bits, most - fewest + 1)
    return found, drawn
