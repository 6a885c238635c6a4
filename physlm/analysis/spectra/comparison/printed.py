"""A comparison as text: effects, accuracies, baselines, verdicts, notes."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.verdict import Outcome
from physlm.analysis.spectra.metric_options import COMPANIONS

if TYPE_CHECKING:
    from physlm.analysis.spectra.comparison.compared import Comparison

_UNLIMITED = 1000  # columns: a table is as wide as its numbers, and no name is cut
_CONTROL_ARMS = ("untrained", "shuffled", "layer_0", "planted")
Row = dict[str, Any]


def comparison_text(comparison: "Comparison") -> str:
    """Effects and accuracies, a table of each variant of the graph, baselines, verdicts, notes."""
    variants = [_variant(comparison, name) for name in _variants(comparison)]
    lines = map(str, comparison.verdicts.values())
    return _text(comparison, [*_whole(comparison), *variants], lines)


def headline_text(comparison: "Comparison") -> str:
    """The same without tables of variants, of which only favourable verdicts are named."""
    verdicts = comparison.verdicts.values()
    lines = [str(verdict) for verdict in verdicts if "/" not in verdict.metric]
    variants = [verdict for verdict in verdicts if "/" in verdict.metric]
    if variants:
        beyond = [v.metric for v in variants if v.outcome is Outcome.beyond]
        lines.append(
            f"{', '.join(_variants(comparison))}: {len(beyond)} of {len(variants)} metrics beyond "
            f"length and likelihood{': ' * bool(beyond)}{', '.join(beyond)}"
        )
    return _text(comparison, _whole(comparison), lines)


def _text(comparison: "Comparison", tables: list[Table], lines: Iterable[str]) -> str:
    console = Console(file=io.StringIO(), width=_UNLIMITED, color_system=None)
    console.print(_title(comparison), highlight=False)
    for table in tables:
        console.print(table)
    for line in (*lines, *(f"note: {note}" for note in comparison.notes)):
        console.print(line, markup=False, highlight=False)
    text = console.file
    assert isinstance(text, io.StringIO)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _title(comparison: "Comparison") -> str:
    texts = comparison.texts
    n_valid, n_invalid = texts.n_of_label
    valid, invalid = (texts.n_tokens[own] for own in (texts.is_valid, ~texts.is_valid))
    return (
        f"{n_valid} valid and {n_invalid} invalid texts of {texts.n_problems} problems; median "
        f"length {np.median(valid):g} and {np.median(invalid):g} tokens, {comparison.n_overlap} "
        f"texts in the overlap; {comparison.n_pairs} pairs, {comparison.n_natural_pairs} of them "
        f"within a problem;\n{comparison.n_tests} tests, q by Benjamini and Hochberg; smallest "
        f"detectable d {comparison.smallest_detectable_d:.2f}; accuracy of the more common label "
        f"{comparison.majority_accuracy:.3f}"
    )


def _whole(comparison: "Comparison") -> list[Table]:
    return [_effects(comparison), _accuracies(comparison), _baselines(comparison)]


def _effects(comparison: "Comparison") -> Table:
    """Effects of the column that training folds chose, on test texts, and in the control arms."""
    effects = ("d_raw", "AUC", "q", "d_paired", "q paired", "d_length", "d_controls")
    title = "Effects, valid minus invalid, of the layer and head chosen in training folds"
    table = _table(title, (*_PLACE, *effects, *_CONTROL_ARMS))
    rows = _chosen(comparison, "model", "")
    for row in rows:
        metric = row["metric"]
        table.add_row(
            *_place(row),
            *(_number(row[name]) for name in ("d_raw", "auc")),
            _small(row["q"]),
            _number(row["d_paired"]),
            _small(row["q_paired"]),
            _number(row["d_length"]),
            _with_interval(row, "d_controls"),
            *(_d_controls(comparison, arm, metric) for arm in _CONTROL_ARMS),
        )
    best = [row["chosen_metric"] for row in rows if row["metric"] == ANY]
    table.caption = "control arms: their d_controls" + "".join(
        f"; {ANY}: {name}, most often" for name in best
    )
    return table


def _accuracies(comparison: "Comparison") -> Table:
    names = ("metric", "spectra", "both", "nested_gain", "AUC", "AUC both", "in-sample")
    controls = ("untrained", "shuffled", "planted", "power", "power in pairs")
    table = _table("Accuracy, nested cross-validation grouped by problem", (*names, *controls))
    best = comparison.table.filter(pl.col("arm") == "model").group_by("metric")
    in_sample = dict(best.agg(pl.col("best_threshold_accuracy").max()).iter_rows())
    rows = _rows(comparison.nested, "model", "")
    for row in rows:
        metric = row["metric"]
        table.add_row(
            _name(metric),
            *(_third(row[f"accuracy_{model}"]) for model in ("spectra", "both")),
            _gain(row),
            *(_number(row[name]) for name in ("auc_spectra", "auc_both")),
            _number(in_sample.get(metric)),
            *(_gain_of(comparison, arm, metric) for arm in ("untrained", "shuffled", "planted")),
            *(_power(comparison, metric, name) for name in ("power", "power_pairs")),
        )
    alone = [f"{m} {_third(rows[0][f'accuracy_{m}'])}" for m in ("length", "controls") if rows]
    table.caption = "; ".join(
        [
            *alone,
            "in-sample: best threshold of all layers and heads, on the texts it was chosen on",
            "control arms: their nested_gain",
            "power: probability that the whole verdict finds the planted effect",
        ]
    )
    return table


def _baselines(comparison: "Comparison") -> Table:
    names = ("metric", "mean valid", "mean invalid", "d_raw", "AUC", "p", "in-sample accuracy")
    table = _table("Baselines on the same texts", names)
    for row in comparison.baselines.iter_rows(named=True):
        table.add_row(
            row["metric"],
            *(_number(row[name]) for name in ("mean_valid", "mean_invalid", "d_raw", "auc")),
            _small(row["mann_whitney_p"]),
            _number(row["best_threshold_accuracy"]),
        )
    return table


def _variant(comparison: "Comparison", variant: str) -> Table:
    """The same metrics of another graph, such as that without the first token."""
    effects = ("d_raw", "AUC", "q", "d_paired", "d_length", "d_controls", "untrained")
    names = (*_PLACE, *effects, "accuracy", "nested_gain")
    table = _table(f"Variant {variant}", names)
    nested = {row["metric"]: row for row in _rows(comparison.nested, "model", variant)}
    for row in _chosen(comparison, "model", variant):
        metric = row["metric"]
        table.add_row(
            *_place(row),
            *(_number(row[name]) for name in ("d_raw", "auc")),
            _small(row["q"]),
            *(_number(row[name]) for name in ("d_paired", "d_length")),
            _with_interval(row, "d_controls"),
            _d_controls(comparison, "untrained", metric),
            _third(nested[metric]["accuracy_spectra"]),
            _gain(nested[metric]),
        )
    return table


_PLACE = ("metric", "layer", "head", "folds")


def _place(row: Row) -> tuple[str, ...]:
    """Metric, layer, head, and in how many folds they were chosen."""
    head = "mean" if row["head"] == -1 else f"{row['head']}"
    return (_name(row["metric"]), f"{row['layer']}", head, f"{row['n_chosen']}/{row['n_folds']}")


def _name(metric: str) -> str:
    """A metric's name without its variant."""
    base = metric.partition("/")[0]
    return f"{base} (baseline)" if base in COMPANIONS else base


def _table(title: str, names: tuple[str, ...]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE,
        collapse_padding=True,
    )
    for name in names:
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    return table


def _variants(comparison: "Comparison") -> list[str]:
    names = comparison.table["metric"].unique(maintain_order=True)
    return sorted({name.partition("/")[2] for name in names} - {""})


def _rows(table: pl.DataFrame, arm: str, variant: str) -> list[Row]:
    """Rows of one arm and one variant of the graph; "" for whole graphs."""
    if table.is_empty():
        return []
    own = table.filter(arm=arm).iter_rows(named=True)
    return [row for row in own if row["metric"].partition("/")[2] == variant]


def _chosen(comparison: "Comparison", arm: str, variant: str) -> list[Row]:
    """Effects of the columns that were chosen along with the controls."""
    rows = _rows(comparison.selected, arm, variant)
    return [row for row in rows if row["chosen_for"] == "both"]


def _d_controls(comparison: "Comparison", arm: str, metric: str) -> str:
    rows = _chosen(comparison, arm, metric.partition("/")[2])
    return next((_number(r["d_controls"]) for r in rows if r["metric"] == metric), "-")


def _gain_of(comparison: "Comparison", arm: str, metric: str) -> str:
    rows = _rows(comparison.nested, arm, metric.partition("/")[2])
    return next((_third(r["nested_gain"]) for r in rows if r["metric"] == metric), "-")


def _power(comparison: "Comparison", metric: str, name: str) -> str:
    rows = comparison.planted.iter_rows(named=True)
    return next((_number(row[name]) for row in rows if row["metric"] == metric), "-")


def _gain(row: Row) -> str:
    gain, low, high = (_third(row[name]) for name in ("nested_gain", "gain_low", "gain_high"))
    return f"{gain} [{low}, {high}]"


def _with_interval(row: Row, name: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _third(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
