"""A question with options, and the text that asks it."""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import NamedTuple

import numpy as np

MAX_OPTIONS = len(ascii_uppercase)


class OptionQuestion(NamedTuple):
    """A question with options.

    Attributes:
        template: The prompt, with the fields' names and, if they are listed, ``options`` in braces.
        fields: The texts of the question, by name.
        options: The answers to choose from.
        answer: Number of the correct one.
        subject: What the question is about; empty if that is not known.
        is_listed: Whether the prompt lists the options, with a letter each, and a letter answers.
    """

    template: str
    fields: Mapping[str, str]
    options: tuple[str, ...]
    answer: int
    subject: str = ""
    is_listed: bool = False

    @property
    def text(self) -> str:
        """The prompt up to the answer, without a space at its end."""
        lines = zip(ascii_uppercase, self.options, strict=False)
        listed = "\n".join(f"{letter}. {option}" for letter, option in lines)
        return self.template.format(**self.fields, options=listed).rstrip()

    @property
    def words(self) -> tuple[str, ...]:
        """The possible continuations of the prompt, each beginning with a space."""
        letters = tuple(ascii_uppercase[: len(self.options)])
        return tuple(f" {word}" for word in (letters if self.is_listed else self.options))

    @property
    def solved(self) -> str:
        """The prompt with its answer."""
        return f"{self.text}{self.words[self.answer]}"

    def shifted(self, rng: np.random.Generator) -> "OptionQuestion":
        """The same question with its options rotated, so that none keeps its letter."""
        n = len(self.options)
        shift = int(rng.integers(1, n))
        options = tuple(self.options[(i - shift) % n] for i in range(n))
        return self._replace(options=options, answer=(self.answer + shift) % n)

    def emptied(self) -> "OptionQuestion":
        """The same question without content: its fields, and options that it lists, are empty."""
        options = ("",) * len(self.options) if self.is_listed else self.options
        return self._replace(fields=dict.fromkeys(self.fields, ""), options=options)
