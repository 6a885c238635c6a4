"""Two groups of texts and what was measured on them: a long frame, checked, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Shaped

from physlm.errors import InputError

KEY = ["layer", "head", "metric"]
COVARIATES = (
    "n_tokens",
    "mean_log_probability",
    "min_log_probability",
    "mean_entropy",
    "distinct_tokens",
    "repeated_fraction",
)
ARMS = ("model", "untrained", "planted")
_OF_TEXT = ["problem", "is_valid", *COVARIATES]
_ROUNDING = 1e-6  # relative; float32 computations of one constant differ by less


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """The texts of both groups, in the order of the frame.

    Attributes:
        is_valid: The label.
        problem: Number of the problem of each text, from 0 up without gaps.
        covariates: Length, likelihood and repetition of each text, by name.
    """

    is_valid: Bool[np.ndarray, " texts"]
    problem: Int[np.ndarray, " texts"]
    covariates: Mapping[str, Float[np.ndarray, " texts"]]

    @property
    def n_tokens(self) -> Float[np.ndarray, " texts"]:
        """Length of each text."""
        return self.covariates["n_tokens"]

    @property
    def n_problems(self) -> int:
        """Number of problems."""
        return len(np.unique(self.problem))

    @property
    def n_of_label(self) -> tuple[int, int]:
        """Number of valid and of invalid texts."""
        n_valid = int(self.is_valid.sum())
        return n_valid, len(self.is_valid) - n_valid

    @property
    def mixed_problems(self) -> Int[np.ndarray, " problems"]:
        """The problems with texts of both labels."""
        return np.intersect1d(self.problem[self.is_valid], self.problem[~self.is_valid])

    def at(self, index: Shaped[np.ndarray, " kept"]) -> "Texts":
        """Some of the texts, by index or mask."""
        own = {name: values[index] for name, values in self.covariates.items()}
        problem = np.unique(self.problem[index], return_inverse=True)[1]
        return Texts(self.is_valid[index], problem, own)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Values of each layer, head and metric on the same texts.

    Attributes:
        keys: Layer, head and metric of each column, one row per column.
        values: One row per text.
    """

    keys: pl.DataFrame
    values: Float[np.ndarray, "texts columns"]

    def where(self, is_kept: Bool[np.ndarray, " columns"]) -> "Columns":
        """Some of the columns."""
        return Columns(self.keys.filter(is_kept), self.values[:, is_kept])

    @property
    def is_constant(self) -> Bool[np.ndarray, " columns"]:
        """Whether a column has one value on all texts, up to float32 rounding."""
        return is_constant(self.values)


def is_constant(values: Float[np.ndarray, "texts columns"]) -> Bool[np.ndarray, " columns"]:
    """Whether each column has a single value, up to float32 rounding."""
    constant: np.ndarray = np.ptp(values, axis=0) <= _ROUNDING * np.abs(values).max(axis=0)
    return constant


def sums_of_problems(
    values: Float[np.ndarray, "texts columns"], texts: Texts
) -> Float[np.ndarray, "problems columns"]:
    """Sum of each column over the texts of each problem."""
    sums = np.zeros((texts.n_problems, values.shape[1]))
    np.add.at(sums, texts.problem, values)
    return sums


def read_groups(frame: pl.DataFrame) -> tuple[Texts, dict[str, Columns]]:
    """The texts of a long frame, and the columns of each arm.

    Covariates are those of arm ``model``, whichever the arm: all arms are compared at equal length
    and equal likelihood under the trained model.

    Raises:
        InputError: If the frame cannot be compared; see ``compare_groups``.
    """
    missing = [c for c in ("text", *_OF_TEXT, *KEY, "value") if c not in frame.columns]
    if missing:
        raise InputError(f"the frame has no column {missing[0]}; compare_groups needs it")
    if "arm" not in frame.columns:
        frame = frame.with_columns(arm=pl.lit("model"))
    unknown = set(frame["arm"].unique()) - set(ARMS)
    if unknown:
        raise InputError(f"arm={min(map(str, unknown))}; arms are {', '.join(ARMS)}")
    _require_finite(frame)
    trained = frame.filter(pl.col("arm") == "model")
    if trained.is_empty():
        raise InputError("the frame has no rows of arm model; compare_groups needs them")
    order, texts = _read_texts(trained)
    arms = frame.partition_by("arm", as_dict=True, maintain_order=True)
    return texts, {str(name[0]): _read_columns(rows, order) for name, rows in arms.items()}


def _require_finite(frame: pl.DataFrame) -> None:
    is_bad = ~pl.col("value").cast(pl.Float64).is_finite().fill_null(value=False)
    bad = frame.filter(is_bad)
    if len(bad):
        first = bad.row(0, named=True)
        raise InputError(
            f"value={first['value']} of metric {first['metric']} at layer {first['layer']}, head "
            f"{first['head']}, text {first['text']}; must be finite; leave out the text or metric"
        )


def _read_texts(rows: pl.DataFrame) -> tuple[pl.DataFrame, Texts]:
    """Numbers of the texts as they are first met, and what is known of each."""
    if rows["is_valid"].dtype != pl.Boolean:
        raise InputError(f"column is_valid has type {rows['is_valid'].dtype}; must be Boolean")
    distinct = rows.select("text", *_OF_TEXT).unique(maintain_order=True)
    repeated = distinct.filter(pl.col("text").is_duplicated())
    if len(repeated):
        own = repeated.filter(pl.col("text") == repeated["text"][0])
        name = next(c for c in _OF_TEXT if own[c].n_unique() > 1)
        raise InputError(f"text {own['text'][0]} has several values of {name}; must have one")
    covariates = {c: distinct[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in COVARIATES}
    for name, values in covariates.items():
        if not np.isfinite(values).all():
            text = distinct["text"][int(np.argmin(np.isfinite(values)))]
            raise InputError(f"{name} of text {text} is not finite; leave out such texts")
    if distinct["problem"].null_count() or distinct["is_valid"].null_count():
        raise InputError("problem or is_valid is missing for some texts; each text needs both")
    problem = np.unique(distinct["problem"].to_numpy(), return_inverse=True)[1]
    texts = Texts(distinct["is_valid"].to_numpy(), problem, covariates)
    _require_two_groups(texts)
    return distinct.select("text").with_row_index("row"), texts


def _require_two_groups(texts: Texts) -> None:
    n_valid, n_invalid = texts.n_of_label
    if min(n_valid, n_invalid) < 2:
        raise InputError(
            f"{n_valid} valid and {n_invalid} invalid texts; need at least two of each label"
        )
    if texts.n_problems < 2:
        raise InputError("all texts belong to one problem; need at least two problems")
    if not len(texts.mixed_problems) and texts.n_problems < len(texts.problem):
        raise InputError(
            f"the problem determines the label: none of the {texts.n_problems} problems has texts "
            "of both labels; add the missing ones, or make each text a problem of its own"
        )
    if min(texts.n_tokens) < 1:
        raise InputError(f"n_tokens={min(texts.n_tokens):g}; a text has at least one token")


def _read_columns(rows: pl.DataFrame, order: pl.DataFrame) -> Columns:
    """One arm as a table of one row per text and one column per layer, head and metric."""
    arm = rows["arm"][0]
    keys = rows.select(KEY).unique().sort("metric", "layer", "head")
    numbered = keys.with_row_index("column")
    placed = rows.join(numbered, on=KEY, how="left").join(order, on="text", how="left")
    if placed["row"].null_count():
        text = placed.filter(pl.col("row").is_null())["text"][0]
        raise InputError(
            f"arm {arm} has text {text}, which arm model lacks; all arms need the same texts"
        )
    place = placed["row"].to_numpy().astype(np.int64) * len(keys) + placed["column"].to_numpy()
    count = np.bincount(place, minlength=len(order) * len(keys))
    if (count != 1).any():
        text, column = divmod(int(np.argmax(count != 1)), len(keys))
        layer, head, metric = keys.row(column)
        raise InputError(
            f"metric {metric} at layer {layer}, head {head} of arm {arm} has "
            f"{count[text * len(keys) + column]} values for text {order['text'][text]}; need one"
        )
    values = np.empty(len(count))
    values[place] = placed["value"].cast(pl.Float64).to_numpy()
    return Columns(keys, values.reshape(len(order), len(keys)))
