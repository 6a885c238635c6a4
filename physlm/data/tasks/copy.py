"""Copy: a string of random symbols, to be written once more."""

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
    """A string of random symbols and its copy, the simplest task that needs a look back.

    A document is ``bos``, n uniform symbols, ``<copy>``, and the same symbols again, with loss on
    these alone.

    Attributes:
        n_copied: Symbols of a string, n.
        n_symbols: Size of the alphabet, V.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Part 4.1: the copy toy of its introduction to Canon layers; the
        layout is ours.
    """

    n_copied: int = 500
    n_symbols: int = 50

    def __post_init__(self) -> None:
        require_at_least(self, 1, "n_copied")
        require_at_least(self, 2, "n_symbols")

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
        """The copy follows it."""
        return self.marks

    @property
    def longest(self) -> int:
        """Tokens of every document."""
        return 2 * self.n_copied + 2

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """None: all documents are alike."""
        return {}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One, of fresh strings."""
        return (Evaluation({}, {}),)

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Documents:  # noqa: ARG002
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``."""
        drawn = _symbols(np.uint64(key), first, last - first, self.n_copied, self.n_symbols)
        rows = np.empty((last - first, self.longest), dtype=np.int32)
        rows[:, 0], rows[:, self.n_copied + 1] = self.bos, self.mark("<copy>")
        rows[:, 1 : self.n_copied + 1] = rows[:, self.n_copied + 2 :] = drawn
        is_target = np.zeros(rows.shape, dtype=bool)
        is_target[:, self.n_copied + 2 :] = True
        starts = np.arange(len(rows) + 1) * self.longest
        return Documents(rows.ravel(), starts, is_target=is_target.ravel())

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is the string before ``<copy>``."""
        require_prompt(self, prompt)
        return np.array_equal(self.last_document(prompt)[:-1], answer)

    def chance(self, difficulty: Difficulty) -> float:  # noqa: ARG002
        """All symbols guessed; ``1 / n_symbols`` for each."""
        return float(self.n_symbols) ** -self.n_copied


@register("data", "copy")
@dataclass(kw_only=True, slots=True)
class CopyConfig(TaskConfig):
    """Strings and their copies; see `Copy` for its fields."""

    n_copied: int = 500
    n_symbols: int = 50
    seq_len: int = 1024

    @property
    def task(self) -> Copy:
        """The task."""
        return Copy(**self.own_values(Copy))


@compiled
def _symbols(key, first, n_documents, n, n_symbols):  # type: ignore[no-untyped-def]
    """The symbols of each string."""
    drawn = np.empty((n_documents, n), dtype=np.int32)
    for i in range(n_documents):
        state = stream_of(key, first + i)
        for t in range(n):
            state, bits = next_bits(state)
            drawn[i, t] = below(bits, n_symbols)
    return drawn
