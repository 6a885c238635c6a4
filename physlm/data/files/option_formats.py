"""Files of questions with options, in the formats in which benchmarks are published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from physlm.data.files.option_question import MAX_OPTIONS, OptionQuestion
from physlm.data.files.records import Record, records_of, value_of
from physlm.errors import InputError


class OptionFormat(str, Enum):
    """Format of a file of questions with options.

    In ``mrpc``, ``rte`` and ``nli`` the two sentences may also be called premise and hypothesis.
    """

    auto = "auto"  # found by the columns
    mmlu = "mmlu"  # question, choices, answer (number or letter), perhaps subject
    sst2 = "sst2"  # sentence, label (0: negative, 1: positive)
    mrpc = "mrpc"  # sentence1, sentence2, label (1: equivalent)
    rte = "rte"  # sentence1, sentence2, label (0: entailment, 1: not_entailment)
    nli = "nli"  # sentence1, sentence2, label (0: entailment, 1: neutral, 2: contradiction)
    generic = "generic"  # prompt, options, answer (number or the option itself)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A format in which a label is one of a few fixed words.

    Attributes:
        template: The prompt, with the columns of its texts in braces.
        columns: The columns of these texts.
        labels: Names of the labels in files, in the order of their numbers.
        words: The answer of each label.
    """

    template: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    words: tuple[str, ...]


_PAIR = ("sentence1", "sentence2")
_ENTAILS = "First: {sentence1}\nSecond: {sentence2}\nDoes the second follow?\nAnswer:"
_LABELLED = {
    OptionFormat.sst2: _Labelled(
        "Review: {sentence}\nSentiment:",
        ("sentence",),
        ("negative", "positive"),
        ("negative", "positive"),
    ),
    OptionFormat.mrpc: _Labelled(
        "First: {sentence1}\nSecond: {sentence2}\nDo both mean the same?\nAnswer:",
        _PAIR,
        ("not_equivalent", "equivalent"),
        ("No", "Yes"),
    ),
    OptionFormat.rte: _Labelled(_ENTAILS, _PAIR, ("entailment", "not_entailment"), ("Yes", "No")),
    OptionFormat.nli: _Labelled(
        _ENTAILS, _PAIR, ("entailment", "neutral", "contradiction"), ("Yes", "Maybe", "No")
    ),
}


def questions_of(path: Path, chosen: OptionFormat) -> tuple[OptionQuestion, ...]:
    """The questions of a file.

    Args:
        path: A ``.json``, ``.jsonl``, ``.csv`` or ``.parquet`` file.
        chosen: Its format.

    Raises:
        InputError: If the columns and labels do not determine the format, or a row does not have
            it.
    """
    renamed = {"premise": "sentence1", "hypothesis": "sentence2"}
    rows = [{renamed.get(name, name): row[name] for name in row} for row in records_of(path)]
    kind = _format_of(rows, path) if chosen is OptionFormat.auto else chosen
    found = []
    for i, row in enumerate(rows):
        at = _Row(row, path, i)
        if kind in _LABELLED:
            found.append(at.labelled(_LABELLED[kind]))
        else:
            found.append(at.multiple_choice() if kind is OptionFormat.mmlu else at.generic())
    return tuple(found)


def _format_of(rows: Sequence[Record], path: Path) -> OptionFormat:
    """The format that has the columns and labels of a file."""
    columns = set(rows[0])
    if {"question", "choices"} <= columns:
        return OptionFormat.mmlu
    if {"prompt", "options"} <= columns:
        return OptionFormat.generic
    if {"sentence", "label"} <= columns:
        return OptionFormat.sst2
    if {*_PAIR, "label"} <= columns:
        return _pair_format(rows, path)
    raise InputError(
        f"{path} has columns {', '.join(map(str, rows[0]))}; name them as one of data.format="
        f"{', '.join(kind.value for kind in OptionFormat if kind is not OptionFormat.auto)}"
    )


def _pair_format(rows: Sequence[Record], path: Path) -> OptionFormat:
    """The format of pairs of sentences; the labels 0 and 1 alone do not determine it."""
    labels = {str(row.get("label")) for row in rows}
    pairs = [kind for kind, format_ in _LABELLED.items() if format_.columns == _PAIR]
    named = [kind for kind in pairs if labels <= {*_LABELLED[kind].labels}]
    if len(named) == 1:
        return named[0]
    if "2" in labels:
        return OptionFormat.nli
    raise InputError(
        f"{path}: its labels do not determine its format; set data.format="
        f"{', '.join(kind.value for kind in pairs[:-1])} or {pairs[-1].value}"
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a file, read as a question."""

    values: Record
    path: Path
    number: int

    def labelled(self, format_: _Labelled) -> OptionQuestion:
        """A question whose answer is a fixed word for each label."""
        fields = {name: self._text(name) for name in format_.columns}
        answer = self._number_of("label", format_.labels)
        return OptionQuestion(format_.template, fields, format_.words, answer)

    def multiple_choice(self) -> OptionQuestion:
        """A question that lists its options with letters."""
        options = self._options("choices")
        answer = self._number_of("answer", tuple(ascii_uppercase[: len(options)]))
        template, fields = "{question}\n{options}\nAnswer:", {"question": self._text("question")}
        subject = str(self.values.get("subject") or "")
        return OptionQuestion(template, fields, options, answer, subject, is_listed=True)

    def generic(self) -> OptionQuestion:
        """A prompt that is taken as it is."""
        options = self._options("options")
        answer = self._number_of("answer", options)
        return OptionQuestion("{prompt}", {"prompt": self._text("prompt")}, options, answer)

    def _text(self, column: str) -> str:
        text = self._value(column)
        if not isinstance(text, str) or not text.strip():
            raise self._refused(column, text, "must be text")
        return text.strip()

    def _options(self, column: str) -> tuple[str, ...]:
        """The options of a row; in a CSV file they are a list as JSON writes it."""
        options = self._value(column)
        if isinstance(options, str):
            try:
                options = json.loads(options)
            except ValueError:
                options = None
        if not isinstance(options, list) or not all(isinstance(o, str) for o in options):
            raise self._refused(column, self._value(column), "must be a list of texts")
        stripped = tuple(option.strip() for option in options)
        if not 2 <= len(stripped) <= MAX_OPTIONS or not all(stripped):
            raise self._refused(column, options, f"must be 2 to {MAX_OPTIONS} texts, none empty")
        if len(set(stripped)) < len(stripped):
            raise self._refused(column, options, "must be distinct")
        return stripped

    def _number_of(self, column: str, names: tuple[str, ...]) -> int:
        """The number that a row gives, or that of the name that it gives."""
        value = self._value(column)
        name = value.strip() if isinstance(value, str) else value
        if name in names:
            return names.index(name)
        number = int(name) if isinstance(name, str) and name.isdecimal() else name
        if type(number) is not int or not 0 <= number < len(names):
            rule = f"must be a number from 0 to {len(names) - 1}, or one of {', '.join(names)}"
            raise self._refused(column, value, rule)
        return number

    def _value(self, column: str) -> Any:
        return value_of(self.values, column, self.path, self.number)

    def _refused(self, column: str, value: object, rule: str) -> InputError:
        return InputError(f"{self.path}: {column} of row {self.number} is {value!r:.60}; {rule}")
