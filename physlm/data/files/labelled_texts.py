"""The user's own right and wrong texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool

from physlm.data.corpus import Corpus
from physlm.data.files.prompt_corpus import PromptCorpus, PromptCorpusConfig
from physlm.data.files.records import Record, records_of, text_of, value_of
from physlm.data.labelled import VALID, LabelledTexts, require_labelled_arguments
from physlm.data.tokens import Vocabulary
from physlm.errors import InputError
from physlm.registry import register
from physlm.rng import stream
from physlm.sources import located
from physlm.watching import tell

INVALID = "invalid"  # the corruption of wrong texts
_LABELS = {"valid": True, "true": True, "invalid": False, "false": False}
_FLAGS = {"true": True, "false": False}

Encode = Callable[[str], Sequence[int]]


class LabelledText(NamedTuple):
    """A text with its label.

    Attributes:
        text: The text.
        is_valid: Its label.
        problem: What it answers; texts of one problem are compared with each other.
        source: Who or what wrote it.
        is_complete: False if it was cut off.
    """

    text: str
    is_valid: bool
    problem: str
    source: str = ""
    is_complete: bool = True


@register("data", "labelled")
@dataclass(kw_only=True, slots=True)
class LabelledTextsConfig(PromptCorpusConfig):
    """Right and wrong texts, for a checkpoint or for a trained model whose vocabulary has words.

    ``source`` is a ``.jsonl``, ``.json``, ``.csv`` or ``.parquet`` file with a row for each text:
    ``text``, ``label`` (valid or invalid, true or false), and optionally ``problem``, ``source``
    and ``is_complete``. A text without a problem is a problem of its own, and one without
    ``is_complete`` is complete. Or it is a folder with subfolders ``valid`` and ``invalid``: each
    file is a text, whose name without its ending is the problem.

    For a trained model ``seq_len`` is that of its run, and a text may have as many tokens as the
    model has learned positions. Its first word may be given without the space before it.
    """

    keeps_window: ClassVar[bool] = True

    def build(self, seed: int) -> "LabelledTextsCorpus":
        """The texts of the file or folder.

        Raises:
            InputError: If they cannot be read, all have one label, or there is only one problem.
        """
        if not self.source:
            raise InputError("data=labelled needs data.source; give a file or a folder")
        path = located(self.source)
        texts = tuple(_in_folder(path) if path.is_dir() else _in_file(path))
        _require_two_groups(texts, path)
        return LabelledTextsCorpus(self, seed, texts)

    def follow(self, earlier: Corpus, seed: int) -> "LabelledTextsCorpus":
        """The texts for the model of an earlier run, in the tokens of its corpus.

        Raises:
            InputError: If a text has a word that the corpus lacks.
        """
        built = self.build(seed)
        corpus = LabelledTextsCorpus(self, seed, built.texts, earlier.vocabulary)
        for text in corpus.texts:  # refused now, not after other measurements
            corpus.encoded(text.text)
        return corpus


@dataclass(frozen=True, eq=False, repr=False)
class LabelledTextsCorpus(PromptCorpus):
    """Right and wrong texts of one source.

    Attributes:
        texts: The texts, in the order of their source.
        words: The vocabulary, if they are for a trained model; a checkpoint has its own.
    """

    texts: tuple[LabelledText, ...]
    words: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the measured run.

        Raises:
            InputError: If there is none.
        """
        return super().vocabulary if self.words is None else self.words

    @property
    def entropy_bits(self) -> float:
        """Entropy of the labels, at their frequencies."""
        p = np.bincount([text.is_valid for text in self.texts], minlength=2) / len(self.texts)
        return float(-len(self.texts) * (p * np.log2(p)).sum())

    @property
    def corruptions(self) -> tuple[str, ...]:
        """``invalid`` alone: the kind of error in a text is not known."""
        return (INVALID,)

    def labelled(self, n_problems: int, corruption: str, n_errors: int) -> LabelledTexts:
        """The texts of ``n_problems`` problems, drawn at random, or of all if there are fewer.

        Args:
            n_problems: Maximum number of problems.
            corruption: ``invalid``.
            n_errors: 1, as the number of errors is not known.

        Raises:
            ValueError: If an argument is out of range.
            InputError: If the texts are for a model with its own tokenizer; use ``tokenised``.
        """
        self.require_one_error(n_problems, corruption, n_errors)
        return self.tokenised(n_problems=n_problems)

    def require_one_error(self, n_problems: int, corruption: str, n_errors: int) -> None:
        """Require valid arguments of `labelled`.

        Raises:
            ValueError: If an argument is out of range.
        """
        require_labelled_arguments(n_problems, corruption, n_errors, self.corruptions)
        if n_errors != 1:
            raise ValueError(f"n_errors={n_errors}; unknown for texts of a file, so must be 1")

    def tokenised(
        self, encode: Encode | None = None, n_problems: int | None = None
    ) -> LabelledTexts:
        """The texts as tokens; prints their `description` first.

        Args:
            encode: The tokenizer of a checkpoint; by default the vocabulary of the earlier run,
                with the end-of-text that begins its documents.
            n_problems: Maximum number of problems, drawn at random; None for all.
        """
        chosen = self._chosen(n_problems)
        tokens_of = self.encoded if encode is None else encode
        numbers = {problem: i for i, problem in enumerate(dict.fromkeys(t.problem for t in chosen))}
        is_valid = np.array([text.is_valid for text in chosen])
        unknown = np.full(len(chosen), -1)
        found = LabelledTexts(
            tokens=tuple(np.array(tokens_of(text.text), dtype=np.int32) for text in chosen),
            is_valid=is_valid,
            problem=np.array([numbers[text.problem] for text in chosen]),
            corruption=tuple(VALID if text.is_valid else INVALID for text in chosen),
            n_errors=(~is_valid).astype(np.int64),
            error_position=unknown,
            level=unknown,
            source=tuple(text.source for text in chosen),
            is_complete=np.array([text.is_complete for text in chosen]),
            n_given=np.ones(len(chosen), dtype=np.int64),
        )
        for line in description(found):
            tell(line)
        return found

    def _chosen(self, n_problems: int | None) -> list[LabelledText]:
        problems = list(dict.fromkeys(text.problem for text in self.texts))
        order = stream(self.seed, "labelled problems").permutation(len(problems))[:n_problems]
        kept = {problems[i] for i in order}
        return [text for text in self.texts if text.problem in kept]

    def encoded(self, text: str) -> list[int]:
        """End-of-text and the tokens of a text in the vocabulary.

        Raises:
            InputError: If there is no vocabulary, or a word is not in it.
        """
        try:
            tokens: list[int] = self.vocabulary.encode_document(text).tolist()
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{error}: {text[:40]!r}; use words of the measured run") from error
        return tokens

    def _content(self) -> object:
        return [tuple(text) for text in self.texts]


def description(texts: LabelledTexts) -> list[str]:
    """Lengths, cut-offs and sources of right and wrong texts, which may tell them apart as well."""
    lines = []
    for name, is_chosen in (("valid", texts.is_valid), ("invalid", ~texts.is_valid)):
        if not is_chosen.any():
            continue
        lengths = texts.n_tokens[is_chosen]
        cut = 1 - texts.is_complete[is_chosen].mean()
        low, middle, high = np.quantile(lengths, [0.05, 0.5, 0.95])
        lines.append(
            f"{name}: {is_chosen.sum()} texts, tokens median {middle:g} (5% to 95%: {low:g} to "
            f"{high:g}), cut off {cut:.1%}, sources {_shares(texts.source, is_chosen)}"
        )
    return lines


def _shares(sources: Sequence[str], is_chosen: Bool[np.ndarray, " texts"]) -> str:
    """The most frequent sources with their share."""
    names, counts = np.unique(np.array(sources)[is_chosen], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    listed = [f"{names[i] or 'unnamed'} {counts[i] / counts.sum():.0%}" for i in order]
    return ", ".join(listed + ["..."] * (len(names) > len(listed)))


def _in_file(path: Path) -> Iterator[LabelledText]:
    for i, row in enumerate(records_of(path)):
        text = value_of(row, "text", path, i)
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{path}: the text of row {i} is {text!r:.40}; must be text")
        yield LabelledText(
            text,
            _flag(value_of(row, "label", path, i), _LABELS, "label", path, i),
            str(_optional(row, "problem", f"row {i}")),
            str(_optional(row, "source", "")),
            _flag(_optional(row, "is_complete", default=True), _FLAGS, "is_complete", path, i),
        )


def _optional(row: Record, column: str, default: object) -> Any:
    return default if row.get(column) is None else row[column]


def _flag(value: Any, known: dict[str, bool], column: str, path: Path, number: int) -> bool:
    """A flag that is written as a word, or is one.

    Args:
        value: The value.
        known: The words.
        column: Name of the column, for the error.
        path: Path of the file, for the error.
        number: Number of the row, for the error.
    """
    found = value if isinstance(value, bool) else known.get(str(value).strip().lower())
    if found is None:
        raise InputError(
            f"{path}: {column} of row {number} is {value!r:.40}; must be {' or '.join(known)}"
        )
    return found


def _in_folder(path: Path) -> Iterator[LabelledText]:
    for name, is_valid in (("valid", True), ("invalid", False)):
        folder = path / name
        if not folder.is_dir():
            raise InputError(f"{path} has no folder {name}; give it the folders valid and invalid")
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            if not file.is_file() or any(part.startswith(".") for part in inside.parts):
                continue
            if not (text := text_of(file)).strip():
                raise InputError(f"{file} is empty; remove it")
            yield LabelledText(text, is_valid, inside.with_suffix("").as_posix())


def _require_two_groups(texts: Sequence[LabelledText], path: Path) -> None:
    n_valid = sum(text.is_valid for text in texts)
    if n_valid in (0, len(texts)):
        raise InputError(
            f"{path} has {n_valid} valid and {len(texts) - n_valid} invalid texts; give both kinds"
        )
    if len({text.problem for text in texts}) < 2:
        raise InputError(f"{path} has one problem, {texts[0].problem}; give at least two")
