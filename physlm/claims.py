"""Published claims and what became of them here: `python -m physlm.claims experiments/capacity`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from scipy import stats

from physlm.collate import varying_science
from physlm.errors import InputError
from physlm.intervals import compared, mean_interval, resampled_interval
from physlm.record import replacing
from physlm.selection import best_of

_FIELDS = {"id", "statement", "source", "published", "metric", "select", "scale", "expect",
           "relative_to", "compared_to", "by", "times", "paired", "best_of", "follows",
           "command"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published statement and the rule that decides it.

    The measured quantity is the mean of ``metric`` over the runs that ``select`` picks; divided,
    run by run, by the metric ``relative_to`` if given; minus ``times`` or over the same mean of the
    runs that ``compared_to`` picks, if given. With ``follows`` it is, seed by seed, the rank
    correlation of ``metric`` with another metric of other runs.

    Attributes:
        id: Short name.
        statement: What the paper says.
        source: Paper, section, number.
        published: The paper's number, as text.
        metric: Name of a metric.
        select: Column to value, for the runs that count; null for those without one.
        scale: At which scale it is tested.
        expect: ``at_least`` and ``at_most`` bounds on the quantity.
        relative_to: Metric to divide by.
        compared_to: Selection of the runs to compare with.
        by: ``difference`` or ``ratio``.
        times: What the mean of the runs compared with is multiplied by in a difference.
        paired: Whether runs of the same seed are compared with each other, as where one is the
            other measured in another way.
        best_of: ``over`` and ``by``: of runs that differ in the column ``over``, the learning rate
            for one, that of each seed counts whose value has the least mean of the metric ``by``,
            the validation loss for one, in all other seeds; chosen for each of the two groups.
        follows: ``metric``, ``select`` and ``over``, the column whose values pair the runs.
        command: What produces the runs.
    """

    id: str
    statement: str
    source: str
    published: str
    metric: str
    select: Mapping[str, Any]
    scale: str
    expect: Mapping[str, float]
    command: str
    relative_to: str | None = None
    compared_to: Mapping[str, Any] | None = None
    by: str = "difference"
    times: float = 1.0
    paired: bool = False
    best_of: Mapping[str, str] | None = None
    follows: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the runs say of a claim.

    Attributes:
        value: The measured quantity.
        low: Lower end of its 95% interval over seeds; None where n is 1.
        high: Upper end.
        resampled: The interval of a comparison by the bootstrap; None for others, or where n is 1.
        groups: Of a comparison, the mean and standard error of each group; no error of one run.
        n: Runs, of the smaller group where two are compared.
        word: ``holds``, ``does not hold`` or ``undecided``.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    word: str
    resampled: tuple[float, float] | None = None
    groups: tuple[tuple[float, float | None], ...] = ()


def read_claims(path: Path) -> list[Claim]:
    """The claims of one experiment.

    Raises:
        InputError: If the file is not a list of claims, or a field is unknown or missing.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise InputError(f"{path}: not a list of claims, each with its fields")
        for entry in entries:
            if unknown := set(entry) - _FIELDS:
                raise InputError(f"{path}: claim {entry.get('id')}: unknown field {unknown.pop()}")
        return [_checked(Claim(**entry), path) for entry in entries]
    except (yaml.YAMLError, TypeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error


def _checked(claim: Claim, path: Path) -> Claim:
    """A misspelt rule would decide without a bound."""
    if not claim.expect or not set(claim.expect) <= {"at_least", "at_most"}:
        raise InputError(f"{path}: claim {claim.id}: expect={claim.expect}; at_least or at_most")
    if not all(isinstance(bound, (int, float)) for bound in claim.expect.values()):
        raise InputError(f"{path}: claim {claim.id}: expect={claim.expect}; bounds are numbers")
    if claim.by not in {"difference", "ratio"}:
        raise InputError(f"{path}: claim {claim.id}: by={claim.by}; difference or ratio")
    if claim.times != 1 and (claim.by == "ratio" or claim.compared_to is None):
        raise InputError(f"{path}: claim {claim.id}: times={claim.times} is of a difference only")
    if claim.paired and claim.compared_to is None:
        raise InputError(f"{path}: claim {claim.id}: paired is of a comparison only")
    if claim.best_of is not None and set(claim.best_of) != {"over", "by"}:
        raise InputError(f"{path}: claim {claim.id}: best_of needs over and by")
    if claim.follows is not None and set(claim.follows) != {"metric", "select", "over"}:
        raise InputError(f"{path}: claim {claim.id}: follows needs metric, select and over")
    others = (claim.relative_to, claim.compared_to, claim.best_of)
    if claim.follows is not None and others != (None, None, None):
        raise InputError(
            f"{path}: claim {claim.id}: follows stands alone, without relative_to, compared_to and "
            "best_of"
        )
    return claim


def decide(claim: Claim, results: pl.DataFrame) -> Verdict:
    """Hold a claim against results: decided only if the whole interval is on one side.

    Intervals are Student's for a mean and Welch's for a difference, or Student's of the differences
    of pairs; a ratio is a difference of logarithms. A comparison is resampled, too, and decided
    only if both intervals are on that side: of a few seeds the bootstrap's are too narrow, and the
    others rest on normal errors.

    Raises:
        InputError: If no run was selected, or the quantity is no number for some.
    """
    if claim.compared_to is None:
        if claim.follows is None:
            sample = _values(claim, _counted(claim, claim.select, results))
        else:
            sample = _rank_correlations(claim, claim.follows, results)
        bounds, n = mean_interval(sample), len(sample)
        low, high = bounds or (None, None)
        return Verdict(float(sample.mean()), low, high, n, _word(claim.expect, low, high))
    counted = [_counted(claim, s, results) for s in (claim.select, claim.compared_to)]
    if claim.paired:
        counted = _in_pairs(claim, *counted)
    sample, other = (_values(claim, rows) for rows in counted)
    if claim.by == "ratio" and min(sample.min(), other.min()) <= 0:
        raise InputError(f"claim {claim.id}: a ratio of values that are not above 0; use times")
    groups = tuple((float(v.mean()), float(stats.sem(v)) if len(v) > 1 else None)
                   for v in (sample, other))  # fmt: skip
    value, bounds = compared(sample, claim.times * other, claim.by, paired=claim.paired)
    resampled = resampled_interval(sample, claim.times * other, claim.by, paired=claim.paired)
    words = {_word(claim.expect, *(ends or (None, None))) for ends in (bounds, resampled)}
    low, high = bounds or (None, None)
    word = words.pop() if len(words) == 1 else "undecided"
    return Verdict(value, low, high, min(len(sample), len(other)), word, resampled, groups)


def _word(expect: Mapping[str, float], low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "undecided"
    least, most = expect.get("at_least", -np.inf), expect.get("at_most", np.inf)
    if low >= least and high <= most:
        return "holds"
    return "does not hold" if high < least or low > most else "undecided"


def _rank_correlations(
    claim: Claim, follows: Mapping[str, Any], results: pl.DataFrame
) -> np.ndarray:
    """Spearman's, of each seed, over the runs that have a value of ``over`` in common."""
    keys, name = ["seed", follows["over"]], follows["metric"]
    ours = _rows(claim, claim.select, results, claim.metric, *keys).select(*keys, claim.metric)
    theirs = _rows(claim, follows["select"], results, name, *keys).select(*keys, other=name)
    pairs = ours.join(theirs, on=keys)
    if not len(ours) == len(theirs) == len(pairs) == len(pairs.unique(keys)):
        raise InputError(f"claim {claim.id}: not one run of each kind for every {', '.join(keys)}")
    found = []
    for rows in pairs.sort(keys).partition_by("seed"):
        sides = [_all_numbers(claim, rows[side]) for side in (claim.metric, "other")]
        if any(len(np.unique(side)) == 1 for side in sides):
            raise InputError(f"claim {claim.id}: all the same for a seed, which ranks nothing")
        found.append(stats.spearmanr(*sides).statistic)
    return np.array(found, dtype=np.float64)


def _all_numbers(claim: Claim, values: pl.Series) -> np.ndarray:
    """More seeds would mend no mean of what is missing."""
    quantities = values.cast(pl.Float64).to_numpy()
    if n_missing := int((~np.isfinite(quantities)).sum()):
        raise InputError(
            f"claim {claim.id}: {n_missing} of {len(quantities)} values of {claim.metric} or what "
            "it is held against are no numbers; run those again, or leave them out of select"
        )
    return quantities


def _rows(
    claim: Claim, select: Mapping[str, Any], results: pl.DataFrame, *needed: str
) -> pl.DataFrame:
    """The runs that count."""
    columns = {*select, "scale", "status", *needed}
    if missing := columns - set(results.columns):
        raise InputError(f"claim {claim.id}: results have no column {sorted(missing)[0]}")
    wanted = {**select, "scale": claim.scale, "status": "finished"}
    rows = results.filter(pl.all_horizontal(pl.col(k).eq_missing(v) for k, v in wanted.items()))
    if rows.is_empty():
        raise InputError(f"claim {claim.id}: no run with {dict(select)}; {claim.command}")
    return rows


def _in_pairs(claim: Claim, ours: pl.DataFrame, theirs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs of both groups, those of one seed at the same place."""
    groups = [rows.sort("seed") for rows in (ours, theirs)]
    seeds = [rows["seed"].to_list() for rows in groups]
    if seeds[0] != seeds[1] or len(set(seeds[0])) < len(seeds[0]):
        raise InputError(f"claim {claim.id}: paired, but not one run of every seed in both groups")
    return groups


def _counted(claim: Claim, select: Mapping[str, Any], results: pl.DataFrame) -> pl.DataFrame:
    """The selected runs, all of one kind."""
    rows = _rows(claim, select, results, claim.metric, claim.relative_to or claim.metric)
    mixed = varying_science(rows)
    if claim.best_of is not None:
        over = claim.best_of["over"]
        rows = best_of(rows, over=over, by=claim.best_of["by"])
        mixed = [name for name in varying_science(rows) if name != over]
    if mixed:
        raise InputError(f"claim {claim.id}: {mixed[0]} varies among its runs; select one value")
    return rows


def _values(claim: Claim, rows: pl.DataFrame) -> np.ndarray:
    """The quantity of each run."""
    values = rows[claim.metric]
    if claim.relative_to is not None:
        values = values / rows[claim.relative_to]
    return _all_numbers(claim, values)


def ledger(folders: Sequence[Path]) -> str:
    """A markdown table of every claim with its verdict."""
    lines = [
        "| claim | published | measured (95% intervals) | expected | scale | verdict | command |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for folder in folders:
        results = pl.read_csv(folder / "results.csv", infer_schema_length=None)
        claims = read_claims(folder / "claims.yaml")
        lines += [_ledger_row(claim, decide(claim, results)) for claim in claims]
    return "\n".join(lines) + "\n"


def _measured(claim: Claim, verdict: Verdict) -> str:
    """The quantity with its intervals; of a comparison, both groups before it."""
    intervals = "" if verdict.low is None else f"{verdict.low:.3f} to {verdict.high:.3f}, "
    if verdict.resampled is not None:
        intervals += f"resampled {verdict.resampled[0]:.3f} to {verdict.resampled[1]:.3f}, "
    quantity = f"{verdict.value:.3f} ({intervals}n = {verdict.n})"
    if not verdict.groups:
        return quantity
    ours, theirs = (
        f"{mean:.3f}" if stderr is None else f"{mean:.3f} ± {stderr:.3f}"
        for mean, stderr in verdict.groups
    )
    part = "" if claim.times == 1 else f" from {claim.times:g} times that"
    return f"{ours} against {theirs}; {claim.by}{part} {quantity}"


def _ledger_row(claim: Claim, verdict: Verdict) -> str:
    word = "undecided: needs more seeds or scale" if verdict.word == "undecided" else verdict.word
    expected = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in claim.expect.items())
    cells = (
        f"**{claim.id}**: {claim.statement} ({claim.source})", claim.published,
        _measured(claim, verdict), expected, claim.scale,
        f"**{word}**", f"`{claim.command}`",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m physlm.claims", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path,
                        help="folders with claims.yaml and results.csv")  # fmt: skip
    parser.add_argument("--ledger", type=Path,
                        help="also write the table into this markdown file")  # fmt: skip
    chosen = parser.parse_args(arguments)
    measured = [folder for folder in chosen.folders if (folder / "results.csv").is_file()]
    missing = [folder for folder in chosen.folders if folder not in measured]
    for folder in missing:
        print(
            f"error: {folder} has no results.csv; run the commands in its claims.yaml, then python "
            f"-m physlm.collate runs --where name={folder.name} --output {folder}/results.csv",
            file=sys.stderr,
        )
    try:
        text = ledger(measured)
        if chosen.ledger is not None:
            heading = chosen.ledger.read_text(encoding="utf-8").split("\n| claim |")[0].rstrip("\n")
            with replacing(chosen.ledger) as temporary:
                temporary.write_text(f"{heading}\n\n{text}", encoding="utf-8")
    except (InputError, OSError, pl.exceptions.PolarsError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
