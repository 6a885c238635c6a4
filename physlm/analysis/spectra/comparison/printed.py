"""A comparison as text: control table, accuracies, baselines, verdicts, notes."""

import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from physlm.analysis.spectra.comparison.compared import Comparison

_WIDTH = 160
_CONTROL_ARMS = ("untrained", "shuffled", "layer_0", "planted")


def comparison_text(comparison: "Comparison") -> str:
    """Everything that is printed after every comparison."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    console.print(_title(comparison), highlight=False)
    for table in (_effects(comparison), _accuracies(comparison), _baselines(comparison)):
        console.print(table)
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
    """Effects of the column that training folds chose beside the controls, on test texts."""
    names = ("metric", "layer", "head", "d_raw", "g", "AUC", "q", "d_length", "d_controls")
    table = _table("Effects, valid minus invalid (layer and head chosen in training folds)", *names)
    for name in ("d_length overlap", "d_paired", "p paired", *_CONTROL_ARMS):
        table.add_column(name, justify="right")
    for row in _chosen(comparison, "model").iter_rows(named=True):
        of_arms = [_in_arm(comparison, arm, row["metric"]) for arm in _CONTROL_ARMS]
        table.add_row(
            _name(row),
            f"{row['layer']}",
            f"{row['head']}",
            *(_number(row[name]) for name in ("d_raw", "hedges_g", "auc")),
            _small(row["q"]),
            *(_with_interval(row, name) for name in ("d_length", "d_controls", "d_length_overlap")),
            _number(row["d_paired"]),
            _small(row["wilcoxon_p"]),
            *of_arms,
        )
    table.caption = "under the names of arms: their d_controls"
    return table


def _accuracies(comparison: "Comparison") -> Table:
    names = ("metric", "length", "controls", "spectra", "both", "nested_gain")
    table = _table("Accuracy, nested cross-validation grouped by problem", *names)
    for name in ("AUC spectra", "AUC both", "best threshold (in-sample)"):
        table.add_column(name, justify="right")
    for name in ("gain untrained", "gain shuffled", "gain planted (power)"):
        table.add_column(name, justify="right")
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
    table.caption = f"calling all texts what most are: {comparison.majority_accuracy:.3f}"
    return table


def _baselines(comparison: "Comparison") -> Table:
    names = ("baseline", "mean valid", "mean invalid", "d_raw", "AUC", "Mann-Whitney p")
    table = _table("Baselines on the same texts", *names, "best threshold (in-sample)")
    for row in comparison.baselines.iter_rows(named=True):
        table.add_row(
            row["metric"],
            *(_number(row[name]) for name in ("mean_valid", "mean_invalid", "d_raw", "auc")),
            _small(row["mann_whitney_p"]),
            _number(row["best_threshold_accuracy"]),
        )
    return table


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE)
    for name in names:
        is_text = name in {"metric", "baseline"}
        table.add_column(name, justify="left" if is_text else "right")
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
    is_same = row["metric"] == row["chosen_metric"]
    return row["metric"] if is_same else f"{row['metric']} ({row['chosen_metric']})"


def _with_interval(row: dict[str, float | None], name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
