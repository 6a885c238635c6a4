"""Published runs, from the tables in folders of experiments."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from physlm.config import RunConfig
from physlm.errors import InputError
from physlm.provenance import changes_of
from physlm.record import RunRecord
from physlm.report.results import RUNS, Results

CURVES = "curve.csv"


class Published(NamedTuple):
    """Finished runs that were published.

    Attributes:
        records: Their records by run id, without metrics, hashes, and versions of scorers and
            libraries, since tables have neither these nor units.
        metrics: The rows of their metrics.
        curves: The rows of their curves, if some have been published.
    """

    records: Mapping[str, RunRecord]
    metrics: pl.DataFrame
    curves: pl.DataFrame | None


def published(folders: Iterable[Path], runs: Mapping[str, RunConfig]) -> Published | None:
    """Those of some runs that are finished in the tables below some folders; None if none is.

    Args:
        folders: Folders with ``runs.csv`` and ``metrics.csv``, or with folders that have them.
        runs: The runs to look for, by run id.

    Raises:
        InputError: If a folder has no such tables, a table is malformed, or two tables have
            different results of one run.
    """
    records: dict[str, RunRecord] = {}
    metrics: dict[str, pl.DataFrame] = {}
    curves = []
    for folder in _tables(folders):
        for record, rows in _found(folder, runs):
            run_id = record.run_id
            if records.setdefault(run_id, record) != record or not rows.equals(
                metrics.setdefault(run_id, rows)
            ):
                raise InputError(
                    f"{folder}: run {run_id} has other results in another of the folders to "
                    "reuse; leave out one of them"
                )
        if (folder / CURVES).is_file():
            curves.append(_curves(folder / CURVES, runs))
    if not records:
        return None
    return Published(
        records,
        pl.concat(metrics.values()),
        pl.concat(curves, how="diagonal_relaxed") if curves else None,
    )


def _tables(folders: Iterable[Path]) -> list[Path]:
    """The folders at and below some folders that have results."""
    found: list[Path] = []
    for folder in folders:
        own = sorted(path.parent for path in folder.rglob(RUNS))
        if not own:
            raise InputError(f"{folder} has no {RUNS}; name a folder of published results")
        found += own
    return list(dict.fromkeys(path.resolve() for path in found))


def _found(folder: Path, runs: Mapping[str, RunConfig]) -> list[tuple[RunRecord, pl.DataFrame]]:
    """The records of some runs with the rows of their metrics."""
    if not any(run_id in (folder / RUNS).read_text(encoding="utf-8") for run_id in runs):
        return []  # reading the metrics of all experiments would take seconds
    results = Results.read(folder)
    rows = results.runs.filter(pl.col("run_id").is_in(list(runs)), status="finished")
    try:
        records = [_record(row, runs[row["run_id"]]) for row in rows.iter_rows(named=True)]
    except KeyError as error:
        raise InputError(f"{folder / RUNS} has no column {error}; collate it again") from error
    return [(one, results.metrics.filter(run_id=one.run_id)) for one in records]


def _record(row: Mapping[str, Any], run: RunConfig) -> RunRecord:
    facts = ("status", "device", "steps", "tokens", "exposures", "wall_seconds")
    return RunRecord(
        run_id=run.run_id,
        experiment=run.experiment,
        **{name: row[name] for name in (*facts, "tokens_per_second")},
        config=json.loads(json.dumps(run.described(), sort_keys=True)),  # as in a file
        software={name: row.get(name) for name in ("git_revision", "git_dirty")},
        corpus=_part(row, "corpus."),
        parameters=_part(row, "parameters."),
        metrics=(),
        published=dict(run.published),
        published_of=run.published_of,
        changed=changes_of(run),
    )


def _part(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The columns of a part, without those that only other runs have."""
    known = {name: value for name, value in row.items() if value is not None}
    return {k.removeprefix(prefix): v for k, v in known.items() if k.startswith(prefix)}


def _curves(path: Path, runs: Mapping[str, RunConfig]) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema_length=None)
        return table.filter(pl.col("run_id").is_in(list(runs)))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} is not a table: {' '.join(str(error).split())}") from error
