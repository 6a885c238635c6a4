"""The world of iGSM: its documents, and right and wrong solutions of equal length."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.rejection import collected
from physlm.data.tasks.igsm.corruption import VIOLATIONS, Violation, corrupted
from physlm.data.tasks.igsm.igsm import Igsm
from physlm.data.tasks.igsm.language import SOLUTION
from physlm.data.tasks.igsm.options import Layout, ParentPreference, RetryKind, SizeLaw
from physlm.data.tasks.igsm.places import Document
from physlm.data.tasks.igsm.template import FIRST_TEST_BIN
from physlm.data.tasks.task_corpus import TaskConfig, TaskCorpus
from physlm.registry import register
from physlm.rng import stream
from physlm.run_id import LATER

_N_ESTIMATED = 2000  # problems from which lengths are estimated
_LEAST_PROBLEMS = 200  # in a block, as not all can be made wrong


@register("data", "igsm")
@dataclass(kw_only=True, slots=True)
class IgsmConfig(TaskConfig):
    """Documents of iGSM; see `Igsm` for its fields. None is longer than a window.

    Attributes:
        max_lost_fraction: Largest fraction of the problems that may be longer than a window.
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
    seq_len: int = 768
    max_lost_fraction: float = 0.01

    def validate(self) -> None:
        """Require every value in its range."""
        TaskConfig.validate(self)
        if not 0 <= self.max_lost_fraction < 1:
            raise ValueError(
                f"max_lost_fraction={self.max_lost_fraction}; must be at least 0 and below 1"
            )

    def build(self, seed: int) -> "IgsmCorpus":
        """The problems of a seed.

        Raises:
            ValueError: If the bounds allow no problems, or windows are too short for them.
        """
        task = Igsm(**self.own_values(Igsm))
        task.numbered(0, 0, 1, {"op": self.op_max})
        lengths = np.diff(task.numbered(0, 0, _N_ESTIMATED, {}).starts)
        lost = float((lengths > self.seq_len).mean())
        if lost > self.max_lost_fraction:
            needed = int(np.quantile(lengths, 1 - self.max_lost_fraction, method="higher"))
            raise ValueError(
                f"seq_len={self.seq_len} loses {lost:.1%} of the problems, which are longer; use "
                f"{needed} or more, smaller op_max and ip_max, or raise max_lost_fraction"
            )
        return IgsmCorpus(self, self.task, seed)

    @property
    def task(self) -> Igsm:
        """The task."""
        values: dict[str, Any] = self.own_values(Igsm)
        return Igsm(**values, most_tokens=self.seq_len)


@dataclass(frozen=True, eq=False, repr=False)
class IgsmCorpus(TaskCorpus):
    """Documents of iGSM, and test problems whose solutions are made wrong; see ``Labelled``."""

    task: Igsm

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which a solution can go wrong; see `Violation`."""
        return VIOLATIONS

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Test problems of the most operations, each with a right solution and with a wrong one.

        The error position is that of the first token that differs from the right solution. Problem
        and question, up to the mark of the solution, are given.

        Raises:
            ValueError: If an argument is out of range, or too few problems allow so many errors.
        """
        require_labelled_arguments(n_problems, corruption, n_errors, VIOLATIONS)
        violation, n = Violation(corruption), max(n_problems, _LEAST_PROBLEMS)
        rng = stream(self.seed, "labelled", corruption, n_errors)

        def block(number: int) -> tuple[list[Document], list[Document | None]]:
            right = self.test_documents(number * n, (number + 1) * n)
            return right, [corrupted(document, violation, n_errors, rng) for document in right]

        what = f"corruption={corruption}, n_errors={n_errors}"
        right, wrong = collected(n_problems, block, what)
        first = [int((a != b).argmax()) for a, b in zip(right, wrong, strict=True)]
        given = [int((own == SOLUTION).argmax()) + 1 for own in right]
        return pairs(
            right,
            wrong,
            corruption,
            n_errors,
            error_position=np.array(first),
            n_given=np.array(given),
        )

    def test_documents(self, first: int, last: int) -> list[Document]:
        """Documents ``first`` to ``last - 1`` of the test problems of the most operations.

        Raises:
            ValueError: If sentences are withheld, so that there are no whole solutions.
        """
        if not self.task.shows_all:
            raise ValueError(
                f"n_shown_sentences={self.task.n_shown_sentences} and n_hidden_sentences="
                f"{self.task.n_hidden_sentences} withhold sentences, but right and wrong texts "
                "need whole solutions; use null and 0"
            )
        (evaluation,) = self.task.evaluations
        documents = self.measured(evaluation, first, last)
        return np.split(documents.tokens, documents.starts[1:-1])
