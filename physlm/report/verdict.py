"""The verdict on a claim, from the results of its runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.results import Results
from physlm.report.summary import varying_science
from physlm.stats.intervals import (
    compared,
    mean_interval,
    projected_interval,
    proportion_interval,
    resampled_interval,
    within,
)
from physlm.stats.model_selection import best_of

WORDS = ("holds", "does not hold", "undecided")
FOREIGN = "not this claim's configuration"
NOT_RUN = "not run"
MOST_RUNS = 50  # that are looked at for an undecided claim

# Metrics that are fractions, hence from 0 to 1; tables of results have no units.
_FRACTIONS = re.compile(
    r"accuracy(?!_and_gain)|exact_match|hint_faithfulness|^monitor/(detected|false_alarms)"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a claim.

    Attributes:
        value: The measured quantity; None if no run has the claim's configuration.
        low: Lower end of its 95% interval over seeds; None if n is 1.
        high: Upper end of the interval.
        n: Number of runs, of the smaller group in a comparison.
        word: One of ``WORDS``, ``not this claim's configuration``, or ``not run``.
        why: Why it is undecided, other than too few seeds, or which configuration was found.
        n_needed: At which n an undecided claim would be decided if means and variances stayed; None
            if at none up to ``MOST_RUNS``, or if n is 1.
        n_left_out: Selected runs that do not count, since they have another configuration.
        resampled: Bootstrap interval of a comparison; None for others, or if n is 1.
        groups: Mean and standard error of each group; a single run has no standard error.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    word: str
    why: str = ""
    n_needed: int | None = None
    n_left_out: int = 0
    resampled: tuple[float, float] | None = None
    groups: tuple[tuple[float, float | None], ...] = ()


def decide(claim: Claim, results: Results) -> Verdict:
    """Decide a claim, if the whole interval is on one side of its bound.

    Intervals are Student's for a mean and for paired differences, Welch's for a difference, and
    exact for a proportion of runs; a ratio is a difference of logarithms. A comparison is decided
    only if its bootstrap interval agrees: with few seeds bootstrap intervals are too narrow, and
    the others assume normal errors.

    Raises:
        InputError: If no run is selected, or the quantity is not finite for some run.
    """
    if claim.compared_to is None:
        return _decided_by_a_mean(claim, results)
    counted = [_counted(claim, s, results) for s in (claim.select, claim.compared_to)]
    if claim.paired:
        counted = _in_pairs(claim, *counted)
    sample, other = (_values(claim, rows) for rows in counted)
    if claim.by == "ratio" and min(sample.min(), other.min()) <= 0:
        raise InputError(f"claim {claim.id}: a ratio of values that are not above 0; use times")
    groups = (sample, claim.times * other)
    value, bounds = compared(*groups, claim.by, paired=claim.paired)
    bounds = within(bounds, _possible(claim))
    resampled = resampled_interval(*groups, claim.by, paired=claim.paired)
    words = {_word(claim.expect, *(ends or (None, None))) for ends in (bounds, resampled)}
    low, high = bounds or (None, None)
    word = words.pop() if len(words) == 1 else "undecided"
    why = "" if claim.times == 1 else _no_multiple(other)
    word = "undecided" if why else word
    return Verdict(
        value,
        low,
        high,
        min(len(sample), len(other)),
        word,
        why=why,
        n_needed=_n_needed(claim, *groups) if word == "undecided" else None,
        resampled=resampled,
        groups=(_mean_and_error(sample), _mean_and_error(other)),
    )


def _decided_by_a_mean(claim: Claim, results: Results) -> Verdict:
    why = ""
    if claim.follows is not None:
        sample = _rank_correlations(claim, claim.follows, results)
    else:
        rows = _counted(claim, claim.select, results)
        sample = _values(claim, rows)
        if claim.relative_to is not None:
            parts = (rows[claim.metric], rows[claim.relative_to])
            why = _no_ratio(*(_all_numbers(claim, part) for part in parts))
    interval = proportion_interval if claim.prediction == "within" else mean_interval
    low, high = within(interval(sample), _possible(claim)) or (None, None)
    word = "undecided" if why else _word(claim.expect, low, high)
    needed = _n_needed(claim, sample) if word == "undecided" else None
    groups = (_mean_and_error(sample),)
    value = groups[0][0]
    return Verdict(value, low, high, len(sample), word, why=why, n_needed=needed, groups=groups)


def _n_needed(claim: Claim, *groups: np.ndarray) -> int | None:
    """The next n whose interval, with the measured means and variances, would decide a claim."""
    n = min(map(len, groups))
    by = claim.by if len(groups) == 2 else "difference"
    for more in range(n + 1, MOST_RUNS + 1) if n > 1 else ():
        bounds = projected_interval(more, groups, by, paired=claim.paired)
        if _word(claim.expect, *(within(bounds, _possible(claim)) or bounds)) != "undecided":
            return more
    return None


def _mean_and_error(sample: np.ndarray) -> tuple[float, float | None]:
    return float(sample.mean()), float(stats.sem(sample)) if len(sample) > 1 else None


def _no_multiple(other: np.ndarray) -> str:
    """Why a multiple is meaningless: a tenth of a negative value is larger than the value."""
    mean = float(other.mean())
    return "" if mean > 0 else f"{mean:.3f} is not above 0, so that it has no multiple"


def _no_ratio(sample: np.ndarray, other: np.ndarray) -> str:
    """Why a ratio is meaningless: negative numerator, or a denominator that is not positive."""
    worst = min(float(sample.mean()), float(other.min()))
    is_ratio = sample.mean() >= 0 and other.min() > 0
    return "" if is_ratio else f"{worst:.3f} is not above 0, so that it has no ratio"


def _possible(claim: Claim) -> tuple[float, float]:
    """The range of possible values of the quantity."""
    if claim.follows is not None:
        return -1.0, 1.0
    if claim.prediction is not None:
        return 0.0, np.inf
    metrics = (claim.metric, claim.relative_to or claim.minus or claim.metric)
    is_twofold = claim.minus is not None and claim.compared_to is not None
    if is_twofold or not all(_FRACTIONS.search(metric) for metric in metrics):
        return -np.inf, np.inf
    if claim.relative_to is not None:
        return 0.0, np.inf
    if claim.compared_to is None:
        return (0.0, 1.0) if claim.minus is None else (-1.0, 1.0)
    return (0.0, np.inf) if claim.by == "ratio" else (-claim.times, 1.0)


def _word(expect: Mapping[str, float], low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "undecided"
    least, most = expect.get("at_least", -np.inf), expect.get("at_most", np.inf)
    if low >= least and high <= most:
        return "holds"
    return "does not hold" if high < least or low > most else "undecided"


def _rank_correlations(claim: Claim, follows: Mapping[str, Any], results: Results) -> np.ndarray:
    """Spearman's correlation of each seed, over runs with equal values of ``over``."""
    keys, name = ["seed", follows["over"]], follows["metric"]
    ours = selected(claim, claim.select, results, claim.metric, columns=keys)
    theirs = selected(claim, follows["select"], results, name, columns=keys)
    ours, theirs = ours.select(*keys, claim.metric), theirs.select(*keys, other=name)
    pairs = ours.join(theirs, on=keys)
    if not len(ours) == len(theirs) == len(pairs) == len(pairs.unique(keys)):
        raise InputError(f"claim {claim.id}: not one run of each kind for every {', '.join(keys)}")
    found = []
    for rows in pairs.sort(keys).partition_by("seed"):
        sides = [_all_numbers(claim, rows[side]) for side in (claim.metric, "other")]
        if any(len(np.unique(side)) == 1 for side in sides):
            raise InputError(
                f"claim {claim.id}: all values of a seed are equal, so they have no ranks"
            )
        found.append(stats.spearmanr(*sides).statistic)
    return np.array(found, dtype=np.float64)


def _all_numbers(claim: Claim, values: pl.Series) -> np.ndarray:
    """Values as an array; the error names missing ones, which more seeds would not fix."""
    quantities = values.cast(pl.Float64).to_numpy()
    if n_missing := int((~np.isfinite(quantities)).sum()):
        raise InputError(
            f"claim {claim.id}: {n_missing} of {len(quantities)} values of {claim.metric} or what "
            "it is compared with are not finite; run these again, or leave them out of select"
        )
    return quantities


def selected(
    claim: Claim,
    select: Mapping[str, Any],
    results: Results,
    *metrics: str,
    columns: Sequence[str] = (),
) -> pl.DataFrame:
    """The finished runs at the claim's scale that match a selection.

    Args:
        claim: The claim.
        select: Column to value.
        results: Results of runs, of this claim and others.
        metrics: Metrics that become columns.
        columns: Other required columns.

    Raises:
        InputError: If no run matches, or a column or metric does not exist.
    """
    needed = {*select, "scale", "status", *columns}
    if missing := needed - set(results.runs.columns):
        raise InputError(f"claim {claim.id}: results have no column {sorted(missing)[0]}")
    try:
        table = results.table(*metrics)
    except InputError as error:
        raise InputError(f"claim {claim.id}: {error}") from error
    rows = _with_values(table, claim, select)
    if rows.is_empty():
        raise InputError(f"claim {claim.id}: no run with {dict(select)}; {claim.command} makes it")
    return rows


def has_runs(claim: Claim, results: Results) -> bool:
    """Whether each selection of a claim has a finished run."""
    columns = set(results.runs.columns)
    return all(
        columns.issuperset(select) and not _with_values(results.runs, claim, select).is_empty()
        for select in claim.selections
    )


def _with_values(table: pl.DataFrame, claim: Claim, select: Mapping[str, Any]) -> pl.DataFrame:
    wanted = {**select, "scale": claim.scale, "status": "finished"}
    return table.filter(pl.all_horizontal(pl.col(k).eq_missing(v) for k, v in wanted.items()))


def _in_pairs(claim: Claim, ours: pl.DataFrame, theirs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs of both groups, in the same order of seeds."""
    groups = [rows.sort("seed") for rows in (ours, theirs)]
    seeds = [rows["seed"].to_list() for rows in groups]
    if seeds[0] != seeds[1] or len(set(seeds[0])) < len(seeds[0]):
        raise InputError(
            f"claim {claim.id}: paired needs one run of every seed in both groups; run what is "
            "missing, or leave paired out"
        )
    return groups


def _counted(claim: Claim, select: Mapping[str, Any], results: Results) -> pl.DataFrame:
    """The selected runs, all of one configuration but for the seed if they are not predicted."""
    metrics = [claim.metric, claim.relative_to, claim.minus, (claim.best_of or {}).get("by")]
    rows = selected(claim, select, results, *(metric for metric in metrics if metric))
    if claim.prediction is not None:
        return rows
    mixed = varying_science(rows)
    if claim.best_of is not None:
        over = claim.best_of["over"]
        rows = best_of(rows, over=over, by=claim.best_of["by"])
        mixed = [name for name in varying_science(rows) if name != over]
    if mixed:
        raise InputError(f"claim {claim.id}: {mixed[0]} varies among its runs; select one value")
    return rows


def _values(claim: Claim, rows: pl.DataFrame) -> np.ndarray:
    """The quantity for each run."""
    values = rows[claim.metric]
    if claim.prediction is not None:
        return _predicted(claim, rows)
    if claim.relative_to is not None:
        values = values / rows[claim.relative_to]
    if claim.minus is not None:
        values = values - rows[claim.minus]
    return _all_numbers(claim, values)


def _predicted(claim: Claim, rows: pl.DataFrame) -> np.ndarray:
    """How well the metric of each run was predicted."""
    if missing := [run_id for run_id in rows["run_id"] if run_id not in claim.predictions]:
        raise InputError(
            f"claim {claim.id}: run {missing[0]} was not predicted; python -m physlm.plan "
            "--predict FOLDER writes predictions of an experiment, before its runs"
        )
    predictions = [claim.predictions[run_id] for run_id in rows["run_id"]]
    pairs = list(zip(predictions, _all_numbers(claim, rows[claim.metric]).tolist(), strict=True))
    if claim.prediction == "within":
        return np.array([float(one.is_within(value)) for one, value in pairs])
    return np.array([one.error(value) for one, value in pairs])
