"""Measurements: metrics with dimensions, and the arrays, tables and files behind them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from physlm.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Dim = str | int | float

_FORM = "write NAME or NAME{DIM=VALUE,DIM=VALUE}"
_NAME = re.compile(r"[^\s{}=,]+")
_KEY = re.compile(r"[a-z_]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured number.

    Attributes:
        name: As in ``qa/exact_match``, without any dimension.
        value: The measured value, always finite.
        unit: Unit of the value.
        n: Number of measured items.
        stderr: Standard error of the mean over these items, if the metric is a mean.
        dims: What was measured, as ``{"layer": 3}`` or ``{"attribute": "major", "split":
            "train_people"}``, in alphabetical order. A metric that lacks a dimension which others
            of its name have is an aggregate over that dimension.
    """

    name: str
    value: float
    unit: str
    n: int
    stderr: float | None = None
    dims: Mapping[str, Dim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", dict(_checked(self.name, *_key(self.dims))))
        object.__setattr__(self, "value", float(self.value))  # NumPy numbers are not JSON
        object.__setattr__(self, "n", int(self.n))
        if self.stderr is not None:
            object.__setattr__(self, "stderr", float(self.stderr))
        if not math.isfinite(self.value):
            raise ValueError(f"{self.text}={self.value}; leave out what could not be measured")

    @property
    def text(self) -> str:
        """Name and dimensions as one text, which names the metric in tables, claims and W&B."""
        return metric_text(self.name, self.dims)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of one scorer: metrics, and what is too large for a record.

    Attributes:
        metrics: The metrics, of which no two have the same name and dims.
        arrays: Arrays of numbers or texts, by name.
        tables: Tables, such as one row per prediction, by name; no two scorers of a run have one of
            the same name.
        files: Functions that write a further file or folder, such as a lens, to a path, by name.
    """

    metrics: tuple[Metric, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tables: "Mapping[str, pl.DataFrame]" = field(default_factory=dict)
    files: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_text(self.metrics)


def metric_text(name: str, dims: Mapping[str, Dim]) -> str:
    """The one text form of a metric: ``qa/exact_match{attribute=major,split=train_people}``."""
    return f"{name}{{{dims_text(dims)}}}" if dims else name


def parse_metric(text: str) -> tuple[str, dict[str, Dim]]:
    """Name and dimensions of a metric, from its text.

    Raises:
        ValueError: If the text has another form.
    """
    name, brace, rest = text.partition("{")
    if not _NAME.fullmatch(name) or bool(brace) != rest.endswith("}") or rest == "}":
        raise ValueError(f"metric {text}; {_FORM}")
    return name, parse_dims(rest.removesuffix("}"))


def dims_text(dims: Mapping[str, Dim]) -> str:
    """Dimensions alone, in order: ``attribute=major,split=train_people``."""
    return _canonical(*_key(dims))[1]


def parse_dims(text: str) -> dict[str, Dim]:
    """Dimensions from their text; values that look like numbers are numbers.

    Raises:
        ValueError: If the text has another form, or names a dimension twice.
    """
    dims: dict[str, Dim] = {}
    for part in text.split(",") if text else ():
        key, equals, value = part.partition("=")
        if not (equals and _KEY.fullmatch(key) and _NAME.fullmatch(value)) or key in dims:
            raise ValueError(f"dimensions {text}; write each once, as in attribute=major,layer=3")
        dims[key] = _value(value)
    return _ordered(dims)


def by_text(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by their texts.

    Raises:
        InputError: If two metrics have the same name and dims.
    """
    found: dict[str, Metric] = {}
    for metric in metrics:
        if found.setdefault(metric.text, metric) is not metric:
            raise InputError(
                f"metric {metric.text} was measured twice; leave out one of the scorers, or give "
                "the metrics different dims"
            )
    return found


# The records of a folder repeat the same few names and dimensions, and checking them each time
# would take most of the time of reading it.
@lru_cache(maxsize=10_000)
def _checked(
    name: str, items: tuple[tuple[str, Dim], ...], types: tuple[type, ...]
) -> Mapping[str, Dim]:
    """The ordered dimensions of a metric, whose text must parse back to its name and dimensions."""
    dims = _canonical(items, types)[0]
    text = metric_text(name, dims)
    if parse_metric(text) != (name, dims):
        raise ValueError(f"metric {text} does not parse back to its name and dims; {_FORM}")
    return dims


def _ordered(dims: Mapping[str, Dim]) -> dict[str, Dim]:
    """In alphabetical order, with numbers for texts that look like them; 1.0 becomes 1."""
    return dict(_canonical(*_key(dims))[0])


def _key(dims: Mapping[str, Dim]) -> tuple[tuple[tuple[str, Dim], ...], tuple[type, ...]]:
    """Dimensions as a key of a cache, in which True is not 1."""
    return tuple(dims.items()), tuple(map(type, dims.values()))


@lru_cache(maxsize=10_000)
def _canonical(
    items: tuple[tuple[str, Dim], ...], _: tuple[type, ...]
) -> tuple[Mapping[str, Dim], str]:
    """Ordered dimensions and their text."""
    ordered = {name: _dim(value) for name, value in sorted(items, key=lambda item: item[0])}
    return ordered, ",".join(f"{name}={value}" for name, value in ordered.items())


def _dim(value: Dim) -> Dim:
    """The value that its text parses to; other types are left for `Metric` to refuse."""
    is_odd = isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))
    return value if is_odd else _value(str(value))


def _value(text: str) -> Dim:
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return int(number) if number.is_integer() else number
