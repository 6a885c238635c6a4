"""Benjamini and Hochberg's q-values, over every test of all comparisons of one call."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from physlm.analysis.spectra.comparison.arms import Arm

LARGEST_Q = 0.05
_TESTS = {"mann_whitney_p": "q", "welch_p": "q_welch", "wilcoxon_p": "q_paired"}


def with_q(arms: Sequence[Arm]) -> list[Arm]:
    """The same arm of several comparisons, with q-values over every p-value of all of them.

    Source:
        Benjamini and Hochberg (1995), Controlling the false discovery rate.
    """
    tables = [table for arm in arms for table in (arm.columns, arm.selected)]
    p = np.concatenate([_p_values(table) for table in tables])
    q = np.full(len(p), np.nan)
    is_test = ~np.isnan(p)
    if is_test.any():
        q[is_test] = stats.false_discovery_control(p[is_test])
    n_tests = int(is_test.sum())
    ends = np.cumsum([len(_TESTS) * len(table) for table in tables])[:-1]
    parts = iter(np.split(q, ends))
    n_found = max(int((q < LARGEST_Q).sum()), 1)
    return [
        replace(
            arm,
            columns=_with_columns(arm.columns, next(parts)),
            selected=_with_columns(arm.selected, next(parts)),
            n_tests=n_tests,
            largest_p=LARGEST_Q * n_found / max(n_tests, 1),
        )
        for arm in arms
    ]


def _p_values(table: pl.DataFrame) -> Float[np.ndarray, " tests"]:
    """The p-values of a table, one test after another."""
    if table.is_empty():
        return np.empty(0)
    columns = [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in _TESTS]
    return np.concatenate(columns)


def _with_columns(table: pl.DataFrame, q: Float[np.ndarray, " tests"]) -> pl.DataFrame:
    if table.is_empty():
        return table
    columns = zip(_TESTS.values(), np.split(q, len(_TESTS)), strict=True)
    return table.with_columns(pl.Series(name, own).fill_nan(None) for name, own in columns)
