"""The corpus of iGSM, with right and wrong solutions of equal length."""

from dataclasses import dataclass

import numpy as np

from physlm.data.labelled import LabelledTexts, pairs, require_labelled_arguments
from physlm.data.rejection import collected
from physlm.data.tasks.igsm.corruption import VIOLATIONS, Document, Violation, corrupted
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.rng import stream

_LEAST_PROBLEMS = 200  # of a block, of which not all can be made wrong


@dataclass(frozen=True, eq=False)
class IgsmCorpus(TaskCorpus):
    """Documents of iGSM, and test problems whose solutions are made wrong; see ``Labelled``."""

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The ways in which a solution can go wrong; see `Violation`."""
        return VIOLATIONS

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """Test problems of the most operations, each with a right solution and with a wrong one.

        The error position is that of the first token that the right solution has not.

        Raises:
            ValueError: If an argument is out of range, or too few can be made wrong so often.
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
        return pairs(right, wrong, corruption, n_errors, error_position=np.array(first))

    def test_documents(self, first: int, last: int) -> list[Document]:
        """Documents ``first`` to ``last - 1`` of the test problems of the most operations."""
        (evaluation,) = self.task.evaluations
        documents = self.measured(evaluation, first, last)
        return np.split(documents.tokens, documents.starts[1:-1])
