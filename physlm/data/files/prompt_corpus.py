"""Worlds of prompts for models with their own tokenizer, which train nothing."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from physlm.data.corpus import DataConfig, Documents, OneLine
from physlm.data.tokens import Vocabulary
from physlm.errors import InputError
from physlm.registry import tag_of
from physlm.sources import SOURCE, pinned


@dataclass(kw_only=True, slots=True)
class PromptCorpusConfig(DataConfig, ABC):
    """Prompts of a file, for a checkpoint."""

    has_texts: ClassVar[bool] = True

    exposures: int = 0
    source: str = field(default="", metadata=SOURCE)  # the file, pinned to its content

    def validate(self) -> None:
        """Require every value in its range, and the file pinned to its content."""
        DataConfig.validate(self)
        if self.exposures:
            raise ValueError(
                f"exposures={self.exposures}, but {world_of(self)} trains nothing; set "
                "stage=measure model=checkpoint"
            )
        self.source = pinned(self.source)


@dataclass(frozen=True, eq=False, repr=False)
class PromptCorpus(OneLine, ABC):
    """Prompts with known answers.

    Attributes:
        config: The configuration that it was built from.
        seed: Seed of all random choices.
    """

    config: PromptCorpusConfig
    seed: int

    @property
    @abstractmethod
    def entropy_bits(self) -> float:
        """An upper bound of the entropy of all answers, given the prompts."""

    @abstractmethod
    def _content(self) -> object:
        """Everything that a model is asked, as plain values."""

    @property
    def vocabulary(self) -> Vocabulary:
        """There is none: a checkpoint has its own tokenizer.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"{world_of(self.config)} is for models with their own tokenizer; set model=checkpoint"
        )

    @property
    def n_documents(self) -> int:
        """Documents to train on: none."""
        return 0

    @property
    def n_epochs(self) -> int:
        """Epochs of training: none."""
        return 0

    def fingerprint(self) -> str:
        """SHA-256 over everything that a model is asked."""
        return hashlib.sha256(repr(self._content()).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:  # noqa: ARG002
        """There is none.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{world_of(self.config)} has no documents to train on")


def world_of(config: DataConfig) -> str:
    """The option that selects a world, as on the command line."""
    return tag_of(type(config)).replace("/", "=")
