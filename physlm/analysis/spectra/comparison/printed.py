"""A comparison as text: control table, accuracies, baselines, verdicts, notes."""

import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.metric_options import COMPANIONS

if TYPE_CHECKING:
    from physlm.analysis.spectra.comparison.compared import Comparison

_WIDTH = 160
_CONTROL_ARMS = ("untrained", "shuffled", "layer_0", "planted")


def comparison_text(comparison: "Comparison") -> str:
    """Everything that is printed after every comparison."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    console.print(_title(comparison), highlight=False)
    for table in (_effects, _controlled, _accuracies, _baselines):
        console.print(table(comparison))
    for verdict in comparison.verdicts.values():
        console.print(str(verdict), markup=False, highlight=False, soft_wrap=True)
    for note in comparison.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def _title(comparison: "Comparison") -> str:
    texts = comparison.texts
    n_valid, n_invalid = texts.n_of_label
    valid, invalid = (texts.n_tokens[own] for own in (texts.is_valid, ~texts.is_valid))
    return (
        f"{n_valid} valid and {n_invalid} invalid texts of {texts.n_problems} problems; median "
        f"length {np.median(valid):g} and {np.median(invalid):g} tokens, {comparison.n_overlap} "
        f"texts in the overlap; {comparison.n_pairs} pairs, {comparison.n_natural_pairs} of them "
        f"within a problem; {comparison.n_tests} tests, q by Benjamini and Hochberg; smallest "
        f"detectable d {comparison.smallest_detectable_d:.2f}"
    )


def _effects(comparison: "Comparison") -> Table:
    """Raw and paired effects of the column that training folds chose, on test texts."""
    names = ("metric", "layer", "head", "chosen in", "mean valid", "mean invalid", "d_raw", "g")
    ranks = ("AUC", "p", "p Welch", "q", "rho length", "d_paired", "p paired", "q paired")
    title = "Effects, valid minus invalid, of the layer and head chosen elsewhere"
    table = _table(title, (*names, *ranks))
    for row in _chosen(comparison, "model").iter_rows(named=True):
        table.add_row(
            _name(row),
            f"{row['layer']}",
            f"{row['head']}",
            f"{row['n_chosen']}/{row['n_folds']} folds",
            *(_number(row[name]) for name in ("mean_valid", "mean_invalid", "d_raw")),
            *(_number(row[name]) for name in ("hedges_g", "auc")),
            *(_small(row[name]) for name in ("mann_whitney_p", "welch_p", "q")),
            *(_number(row[name]) for name in ("spearman_length", "d_paired")),
            *(_small(row[name]) for name in ("wilcoxon_p", "q_paired")),
        )
    table.caption = "means in standard deviations of the training texts"
    return table


def _controlled(comparison: "Comparison") -> Table:
    """The same at equal length and likelihood, and in the control arms."""
    measured = ("d_length", "d_controls", "d_length_overlap", "d_controls_overlap")
    names = ("metric", *(name.replace("_overlap", ", overlap") for name in measured))
    table = _table("Effects with length, or length and likelihood, held equal", names)
    for arm in _CONTROL_ARMS:
        table.add_column(arm, justify="right")
    for row in _chosen(comparison, "model").iter_rows(named=True):
        table.add_row(
            _name(row),
            *(_with_interval(row, name) for name in measured),
            *(_in_arm(comparison, arm, row["metric"]) for arm in _CONTROL_ARMS),
        )
    table.caption = "below the name of a control arm: its d_controls"
    return table


def _accuracies(comparison: "Comparison") -> Table:
    names = ("metric", "length", "controls", "spectra", "both", "nested_gain", "AUC spectra")
    others = ("AUC both", "in-sample", "untrained", "shuffled", "planted (power)")
    table = _table("Accuracy, nested cross-validation grouped by problem", (*names, *others))
    best = comparison.table.filter(pl.col("arm") == "model").group_by("metric")
    in_sample = dict(best.agg(pl.col("best_threshold_accuracy").max()).iter_rows())
    for row in _of_arm(comparison.nested, "model").iter_rows(named=True):
        gain = f"{row['nested_gain']:.3f} [{row['gain_low']:.3f}, {row['gain_high']:.3f}]"
        table.add_row(
            row["metric"],
            *(f"{row[f'accuracy_{m}']:.3f}" for m in ("length", "controls", "spectra", "both")),
            gain,
            _number(row["auc_spectra"]),
            _number(row["auc_both"]),
            _number(in_sample.get(row["metric"])),
            *(_gain(comparison, arm, row["metric"]) for arm in ("untrained", "shuffled")),
            _planted(comparison, row["metric"]),
        )
    table.caption = (
        f"calling all texts what most are: {comparison.majority_accuracy:.3f}; in-sample: best "
        "threshold of all layers and heads, on the texts it was chosen on; below the name of a "
        "control arm: its nested_gain"
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


def _table(title: str, names: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE)
    for name in names:
        table.add_column(name, justify="left" if name == "metric" else "right")
    return table


def _of_arm(table: pl.DataFrame, arm: str) -> pl.DataFrame:
    return table if table.is_empty() else table.filter(pl.col("arm") == arm)


def _chosen(comparison: "Comparison", arm: str) -> pl.DataFrame:
    own = _of_arm(comparison.selected, arm)
    return own if own.is_empty() else own.filter(pl.col("chosen_for") == "both")


def _in_arm(comparison: "Comparison", arm: str, metric: str) -> str:
    own = _chosen(comparison, arm)
    own = own if own.is_empty() else own.filter(pl.col("metric") == metric)
    return _number(own["d_controls"][0]) if len(own) else "-"


def _gain(comparison: "Comparison", arm: str, metric: str) -> str:
    own = _of_arm(comparison.nested, arm)
    own = own if own.is_empty() else own.filter(pl.col("metric") == metric)
    return f"{own['nested_gain'][0]:.3f}" if len(own) else "-"


def _planted(comparison: "Comparison", metric: str) -> str:
    rows = comparison.planted
    own = rows if rows.is_empty() else rows.filter(pl.col("metric") == metric)
    if not len(own):
        return "-"
    return f"{own['nested_gain'][0]:.3f} ({_number(own['power'][0])})"


def _name(row: dict[str, str]) -> str:
    metric = row["metric"]
    if metric in COMPANIONS:
        return f"{metric} (baseline)"
    return f"{metric} ({row['chosen_metric']})" if metric == ANY else metric


def _with_interval(row: dict[str, float | None], name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
