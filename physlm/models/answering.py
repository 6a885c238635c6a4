"""Models that answer prompts in text: checkpoints with their tokenizers, and endpoints."""

import hashlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from physlm.errors import InputError


class Answering(ABC):
    """Answers prompts, each by itself, with the likeliest text."""

    @abstractmethod
    def require_reads(self, prompts: Sequence[str], max_tokens: int) -> None:
        """Require that prompts can be read, and that they and answers are not too long.

        Raises:
            InputError: If a prompt cannot be read, or is too long.
        """

    @abstractmethod
    def answers_of(
        self, prompts: Sequence[str], *, max_tokens: int, batch_size: int
    ) -> Iterator[tuple[int, str | None]]:
        """The number and the answer of each prompt, in the order in which they come.

        Answers are without thoughts; None where the model was cut off before it answered.

        Args:
            prompts: The prompts.
            max_tokens: Maximum number of tokens of each answer, thoughts included.
            batch_size: Prompts that are read at once, if that is for us to choose.

        Raises:
            InputError: If the model cannot be asked.
        """


class KeptAnswering(Answering):
    """Keeps every answer in a file as it comes, and asks for no answer twice.

    Args:
        answering: The model that answers.
        path: A file of JSON lines, which the first answer creates.
    """

    def __init__(self, answering: Answering, path: Path) -> None:
        self.answering, self.path = answering, path

    def require_reads(self, prompts: Sequence[str], max_tokens: int) -> None:
        """As the model that answers."""
        self.answering.require_reads(prompts, max_tokens)

    def answers_of(
        self, prompts: Sequence[str], *, max_tokens: int, batch_size: int
    ) -> Iterator[tuple[int, str | None]]:
        """The answers that are kept, then those of the model.

        Raises:
            InputError: If the model cannot be asked, or the file cannot be used.
        """
        kept = self._read()
        keys = [_key(prompt, max_tokens) for prompt in prompts]
        yield from ((i, kept[key]) for i, key in enumerate(keys) if key in kept)
        missing = [i for i, key in enumerate(keys) if key not in kept]
        asked = self.answering.answers_of(
            [prompts[i] for i in missing], max_tokens=max_tokens, batch_size=batch_size
        )
        for number, answer in asked:
            place = missing[number]
            self._append({"key": keys[place], "prompt": prompts[place], "answer": answer})
            yield place, answer

    def _read(self) -> dict[str, str | None]:
        """Kept answers; a last line that was cut off is removed.

        Raises:
            InputError: If another line is damaged.
        """
        if not self.path.exists():
            return {}
        lines = self.path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            with self.path.open("r+b") as file:
                file.truncate(sum(map(len, lines[:-1])))
            lines.pop()
        kept: dict[str, str | None] = {}
        for number, line in enumerate(lines, 1):
            try:
                found = json.loads(line)
                kept[found["key"]] = found["answer"]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path} line {number} is damaged; delete that line, and it is asked again"
                ) from error
        return kept

    def _append(self, line: dict[str, str | None]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written: {error.strerror}; answers so far are kept"
            ) from error


def in_batches(prompts: Sequence[str], batch_size: int) -> Iterator[list[tuple[int, str]]]:
    """Numbered prompts, a batch at a time."""
    numbered = iter(enumerate(prompts))
    while batch := list(itertools.islice(numbered, batch_size)):
        yield batch


def _key(prompt: str, max_tokens: int) -> str:
    return hashlib.sha256(f"{max_tokens} {prompt}".encode()).hexdigest()[:32]
