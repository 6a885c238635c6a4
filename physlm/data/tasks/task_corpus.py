"""The corpus of a synthetic task: any number of fresh documents, and sets of fixed difficulty."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from physlm.data.corpus import DataConfig, Documents, OneLine, Packing, require_at_least
from physlm.data.tasks.evaluation_windows import EvaluationWindows, evaluation_windows
from physlm.data.tasks.synthetic_task import Evaluation, SyntheticTask
from physlm.data.tokens import Vocabulary
from physlm.rng import stream_key


@dataclass(kw_only=True, slots=True)
class TaskConfig(DataConfig, ABC):
    """Documents of a synthetic task, none of them drawn twice.

    Source:
        Physics of Language Models, Part 4.1.
    """

    n_documents: int = 100_000  # of one epoch
    exposures: int = 1  # epochs, each of different documents
    packing: Packing = Packing.left_aligned

    @property
    @abstractmethod
    def task(self) -> SyntheticTask:
        """The task."""

    def validate(self) -> None:
        """Require every value in its range, and windows that hold the longest document."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_documents")
        needed = self.task.longest - 1  # the last token is only a target
        if self.seq_len < needed:
            raise ValueError(
                f"seq_len={self.seq_len} is too short for the longest document of this task; "
                f"use {needed} or more, or smaller documents"
            )

    def build(self, seed: int) -> "TaskCorpus":
        """The documents of a seed."""
        return TaskCorpus(self, self.task, seed)

    def own_values(self, kind: type[SyntheticTask]) -> dict[str, Any]:
        """The values of the fields that a class of tasks shares."""
        names = {field.name for field in fields(kind)}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in names}


@dataclass(frozen=True, eq=False, repr=False)
class TaskCorpus(OneLine):
    """Documents of a task, each a function of the seed and its number.

    Longer training sees the same documents first, and all models of a seed see the same ones.

    Attributes:
        config: The configuration that it was built from.
        task: The task.
        seed: Seed of the documents.
    """

    config: TaskConfig
    task: SyntheticTask
    seed: int

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the task."""
        return self.task.vocabulary

    @property
    def n_documents(self) -> int:
        """Documents in an epoch."""
        return self.config.n_documents

    @property
    def n_epochs(self) -> int:
        """Epochs of training, each of different documents."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Zero: a task is a rule, and no document repeats."""
        return 0.0

    def fingerprint(self) -> str:
        """SHA-256 over everything that decides the documents."""
        content = f"({self.task.identity}, {self.n_documents}, {self.seed})"
        return hashlib.sha256(content.encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an epoch."""
        before = number * self.n_documents
        return self.task.numbered(self._key, before + first, before + last, {})

    def measured(self, evaluation: Evaluation, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of an evaluation set, from a stream of its own."""
        named = [f"{name}={value}" for name, value in sorted(evaluation.difficulty.items())]
        key = stream_key(self.seed, "measured", *named)
        return self.task.numbered(key, first, last, evaluation.difficulty)

    def windows(self, evaluation: Evaluation, n_answers: int) -> EvaluationWindows:
        """An evaluation set of at least ``n_answers`` whole answers, in left-aligned windows."""

        def documents(n: int) -> Documents:
            return self.measured(evaluation, 0, n)

        return evaluation_windows(self.task, documents, self.config.seq_len, n_answers)

    @cached_property
    def _key(self) -> int:
        return stream_key(self.seed, "documents")
