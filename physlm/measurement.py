"""A measurement: metrics, each with its dimensions, and the arrays that they sum up."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

Dim = str | int | float

_FORM = "write NAME or NAME{DIM=VALUE,DIM=VALUE}"
_NAME = re.compile(r"[^\s{}=,]+")
_KEY = re.compile(r"[a-z_]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured number.

    Attributes:
        name: As in ``qa/exact_match``; no dimension is part of it.
        value: The measurement; a number, never NaN.
        unit: What it counts.
        n: How many things it was measured on.
        stderr: Standard error of the mean over these, where it is a mean.
        dims: Which part of the whole it is of, as ``{"layer": 3}`` or ``{"attribute": "major",
            "split": "train"}``; without a dimension that other metrics of its name have, it is of
            all along that dimension. In alphabetical order of their names.
    """

    name: str
    value: float
    unit: str
    n: int
    stderr: float | None = None
    dims: Mapping[str, Dim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", _ordered(self.dims))
        object.__setattr__(self, "value", float(self.value))  # a record has no numbers of NumPy's
        object.__setattr__(self, "n", int(self.n))
        if self.stderr is not None:
            object.__setattr__(self, "stderr", float(self.stderr))
        if not math.isfinite(self.value):
            raise ValueError(f"{self.text}={self.value}; what could not be measured is left out")
        if parse_metric(self.text) != (self.name, self.dims):
            raise ValueError(f"metric {self.text} reads otherwise than it was written; {_FORM}")

    @property
    def text(self) -> str:
        """Name and dimensions as one text, by which tables, claims and W&B know the metric."""
        return metric_text(self.name, self.dims)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a scorer found: numbers, and arrays too large for a record.

    Attributes:
        metrics: The numbers.
        arrays: Arrays of numbers or texts, by name.
    """

    metrics: tuple[Metric, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def metric_text(name: str, dims: Mapping[str, Dim]) -> str:
    """The one text form of a metric: ``qa/exact_match{attribute=major,split=train}``."""
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
    """Dimensions alone, in order: ``attribute=major,split=train``."""
    return ",".join(f"{name}={value}" for name, value in _ordered(dims).items())


def parse_dims(text: str) -> dict[str, Dim]:
    """Dimensions from their text; what reads as a number is one.

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
    """Metrics by their texts."""
    return {metric.text: metric for metric in metrics}


def _ordered(dims: Mapping[str, Dim]) -> dict[str, Dim]:
    """In alphabetical order; what reads as a number is one, and 1.0 and 1 are the same."""
    return {name: _dim(dims[name]) for name in sorted(dims)}


def _dim(value: Dim) -> Dim:
    """What its text reads as; what is neither number nor text is left for `Metric` to refuse."""
    is_odd = isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))
    return value if is_odd else _value(str(value))


def _value(text: str) -> Dim:
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return int(number) if number.is_integer() else number
