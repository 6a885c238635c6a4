"""iGSM: grade-school mathematics modulo 23, whose every step is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Int, Int64

from physlm.data.corpus import Documents, require_at_least
from physlm.data.tasks.igsm.documents import LONGEST, igsm_documents
from physlm.data.tasks.igsm.language import (
    BOS,
    LETTERS,
    MARKS,
    MODULUS,
    SOLUTION,
    WORDS,
    spaced,
    words_of_tokens,
)
from physlm.data.tasks.igsm.options import Layout, ParentPreference, RetryKind, SizeLaw
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.problem_reading import problem_of
from physlm.data.tasks.igsm.template import FIRST_TEST_BIN, N_BINS
from physlm.data.tasks.igsm.world import WORLD
from physlm.data.tasks.synthetic_task import Difficulty, Evaluation, SyntheticTask, require_prompt
from physlm.data.tokens import Vocabulary, compact_tokenizer
from physlm.run_id import LATER
from physlm.schema import converted

_FEWEST_EDGES = 2  # of two layers of two items, the smallest structure
_WORD = r"'s| ?[A-Za-z0-9]+| ?[^\sA-Za-z0-9]"
_N_ESTIMATED = 2000  # problems that chance is estimated from


_CHOICES: dict[str, type[Enum]] = {
    "layout": Layout,
    "retry_kind": RetryKind,
    "size_law": SizeLaw,
    "parent_preference": ParentPreference,
}


@dataclass(frozen=True, slots=True)
class Problems(Documents):
    """Documents of iGSM, each of which can be read as a `Problem`."""

    def __getitem__(self, number: int) -> Problem:
        first, last = self.starts[:-1][number], self.starts[1:][number]
        return problem_of(words_of_tokens(self.tokens[first:last].tolist()))

    def __iter__(self) -> Iterator[Problem]:
        return (self[number] for number in range(len(self)))


@dataclass(frozen=True, kw_only=True)
class Igsm(SyntheticTask):
    """Items that hold items, how many of each, and the steps to the answer, modulo 23.

    A document is ``bos``, ``<problem>``, one sentence for each instance parameter and the question,
    ``<solution>``, one sentence for each parameter that is needed, ``<answer>`` and the number.
    All tokens are predicted with loss, those of masked retries apart.

    Attributes:
        op_max: Largest number of operations; it is the smaller of two uniform numbers.
        ip_max: Largest number of instance parameters.
        layout: The order of problem and question.
        n_train_bins: Problems whose template is in the bins before this one are for training; those
            in the bins from 17 to 22 for tests.
        retry_rate: Probability of a wrong parameter before a sentence, and of each further one.
        retry_kind: Which parameters are taken for wrong ones.
        has_masked_retries: Whether names of wrong parameters are read, but not predicted.
        has_masked_problems: Whether problems and questions are read, but not predicted; the papers
            predict them. The end of a solution, where the next document begins, is predicted.
        size_law: The number of operations for which sizes are drawn.
        parent_preference: Which parents are likelier.
        has_products_first: Whether all products of a sum come before its additions, as the paper
            says; in the release each comes just before it is added.
        has_ordered_letters: Whether the letters of every solution are a, b, c and so on; in the
            papers they are random. Random letters make up most of small models' loss on solutions,
            and greedy decoding repeats the likeliest letter.
        n_shown_sentences: The most sentences of a solution that are written; the answer follows
            them. 0 for the answer alone, None for all sentences.
        n_hidden_sentences: How many of the last sentences of every solution are withheld.
        most_tokens: Longer documents are drawn again; None for no limit.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Physics of Language Models, Parts 2.1 and 2.2. The words are ours.
    """

    op_max: int = 15
    ip_max: int = 20
    layout: Layout = Layout.pq
    n_train_bins: int = FIRST_TEST_BIN
    retry_rate: float = 0.0
    retry_kind: RetryKind = RetryKind.retry
    has_masked_retries: bool = False
    has_masked_problems: bool = False
    size_law: SizeLaw = SizeLaw.target
    parent_preference: ParentPreference = ParentPreference.not_wanted
    has_products_first: bool = False
    has_ordered_letters: bool = field(default=False, metadata=LATER)
    n_shown_sentences: int | None = None
    n_hidden_sentences: int = 0
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            object.__setattr__(self, name, converted(getattr(self, name), kind, name))
        require_at_least(self, 1, "op_max", "n_train_bins")
        require_at_least(self, _FEWEST_EDGES, "ip_max")
        require_at_least(self, 0, "n_hidden_sentences")
        if self.n_shown_sentences is not None:
            require_at_least(self, 0, "n_shown_sentences")
        if self.op_max > len(LETTERS):
            raise ValueError(
                f"op_max={self.op_max}; must be at most {len(LETTERS)}, the number of letters"
            )
        if self.n_train_bins > FIRST_TEST_BIN:
            raise ValueError(
                f"n_train_bins={self.n_train_bins}; must be at most {FIRST_TEST_BIN}, where the "
                "bins of the test problems begin"
            )
        if not 0 <= self.retry_rate < 1:
            raise ValueError(f"retry_rate={self.retry_rate}; must be at least 0 and below 1")

    @property
    def words(self) -> tuple[str, ...]:
        """Numbers, letters, function words, and the words of names."""
        return WORDS

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks of problem, solution and answer, ``[back]`` of retries, and those of probes."""
        return MARKS

    @property
    def answer_marks(self) -> tuple[str, ...]:
        """``<answer>`` alone."""
        return ("<answer>",)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """One token for each word and mark; ``'s`` is one, and no space comes before it."""
        texts = [spaced(word) for word in WORDS]
        return Vocabulary(compact_tokenizer(texts, _WORD), texts, MARKS)

    @property
    def shows_all(self) -> bool:
        """Whether solutions are written to their end, so that they can be right."""
        return self.n_shown_sentences is None and self.n_hidden_sentences == 0

    @property
    def _most_shown(self) -> int:
        """The most sentences of a solution; none has more than one for each letter."""
        return len(LETTERS) if self.n_shown_sentences is None else self.n_shown_sentences

    @property
    def longest(self) -> int:
        """Tokens of the longest document, or a bound of it."""
        return LONGEST if self.most_tokens is None else self.most_tokens

    @property
    def difficulties(self) -> Mapping[str, tuple[int, int]]:
        """The operations, which may exceed `op_max`, and whether templates are those of tests."""
        return {"op": (1, len(LETTERS)), "test": (0, 1)}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One, of test problems with the most operations."""
        return (Evaluation({"op": self.op_max, "test": 1}, {}),)

    def sample(self, rng: np.random.Generator, n: int, **difficulty: int) -> Problems:
        """Some problems; see ``SyntheticTask``.

        Args:
            rng: Draws the key of their random streams.
            n: Number of problems.
            difficulty: ``op``, the number of operations, and ``test=1`` for templates of the test.
        """
        found = SyntheticTask.sample(self, rng, n, **difficulty)
        assert isinstance(found, Problems)
        return found

    def numbered(self, key: int, first: int, last: int, difficulty: Difficulty) -> Problems:
        """Documents ``first`` to ``last - 1`` of a key; see ``SyntheticTask``.

        Raises:
            ValueError: If no problem of so many operations is found.
        """
        bins = (
            (FIRST_TEST_BIN, N_BINS - 1) if difficulty.get("test") else (0, self.n_train_bins - 1)
        )
        tokens, starts, n_found, op = igsm_documents(
            np.uint64(key),
            first,
            last - first,
            (difficulty.get("op", 0), self.op_max, self.ip_max, self.longest),
            bins,
            (
                self.layout is Layout.qp,
                self.size_law is SizeLaw.redrawn,
                self.parent_preference is ParentPreference.wanted,
                self.has_products_first,
                self.has_ordered_letters,
            ),
            (self.retry_rate, list(RetryKind).index(self.retry_kind), self.has_masked_retries),
            (self._most_shown, self.n_hidden_sentences),
            _world_tokens(),
        )
        if n_found < last - first:
            room = "" if self.most_tokens is None else f" and at most {self.most_tokens} tokens"
            raise ValueError(
                f"no problem of {op} operations with ip_max={self.ip_max}{room} was found; use "
                f"fewer operations, raise ip_max{', or use longer windows' if room else ''}"
            )
        return self._with_targets(Problems(tokens, starts))

    def _with_targets(self, drawn: Problems) -> Problems:
        """The documents with the tokens that are predicted, if some are not."""
        if not (self.has_masked_retries or self.has_masked_problems):
            return drawn
        is_target = drawn.tokens >= 0  # compiled code marks those of masked retries
        tokens = np.where(is_target, drawn.tokens, -2 - drawn.tokens)
        if self.has_masked_problems:
            # A document has one mark before its solution: what follows it has seen as many marks
            # as documents have begun.
            n_marks, n_begun = np.cumsum(tokens == SOLUTION), np.cumsum(tokens == BOS)
            is_read = (n_marks < n_begun) | (tokens == SOLUTION)
            is_target &= ~is_read | (tokens == BOS)
        return Problems(tokens, drawn.starts, is_target=is_target)

    def check(self, prompt: Int[np.ndarray, " prompt"], answer: Int[np.ndarray, " answer"]) -> bool:
        """Whether the answer is the number that the question asks for, and nothing else."""
        require_prompt(self, prompt)
        problem = problem_of(words_of_tokens(self.last_document(prompt).tolist()))
        return list(np.asarray(answer).tolist()) == [problem.answer]

    def chance(self, difficulty: Difficulty) -> float:
        """The frequency of the most common answer, 0, among 2,000 problems."""
        return _share_of_most_common(self, tuple(sorted(difficulty.items())))


@lru_cache
def _share_of_most_common(task: Igsm, difficulty: tuple[tuple[str, int], ...]) -> float:
    drawn = task.numbered(0, 0, _N_ESTIMATED, dict(difficulty))
    answers = drawn.tokens[drawn.starts[1:] - 1]
    return float(np.bincount(answers, minlength=MODULUS).max()) / len(answers)


@lru_cache
def _world_tokens() -> tuple[Int64[np.ndarray, "..."], Int64[np.ndarray, "hierarchies layers"]]:
    """Tokens of the words of each item, and of each category; see `draw_names`."""
    token_of = {word: i for i, word in enumerate(WORDS)}
    items = [
        [
            [[[token_of[word] for word in item.split()] for item in own] for own in c.subcategories]
            for c in categories
        ]
        for categories in WORLD.hierarchies
    ]
    names = [[token_of[c.name] for c in categories] for categories in WORLD.hierarchies]
    return np.array(items), np.array(names)
