"""Published runs, from the tables in folders of experiments."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from physlm.config import RunConfig
from physlm.errors import InputError
from physlm.provenance import changes_of
from physlm.record import RunRecord, require_types
from physlm.report.results import METRICS, RUNS, Results
from physlm.report.tables import row_of
from physlm.science import is_science

CURVES = "curve.csv"

_KEY = ["metric", "dims"]


class Published(NamedTuple):
    """Finished runs that were published.

    Attributes:
        records: Their records by run id, without metrics, hashes, and versions of scorers and
            libraries: tables have neither these nor units.
        metrics: The rows of their metrics.
        curves: The rows of their curves, where these were published.
    """

    records: Mapping[str, RunRecord]
    metrics: pl.DataFrame
    curves: pl.DataFrame

    def without(self, run_ids: Collection[str]) -> "Published | None":
        """The same without some runs; None if no run is left."""
        kept = [run_id for run_id in self.records if run_id not in run_ids]
        if not kept:
            return None
        is_kept = pl.col("run_id").is_in(kept)
        return self._replace(
            records={run_id: self.records[run_id] for run_id in kept},
            metrics=self.metrics.filter(is_kept),
            curves=self.curves.filter(is_kept),
        )


class _Found(NamedTuple):
    """A run in one folder."""

    record: RunRecord
    metrics: pl.DataFrame
    curve: pl.DataFrame
    folder: Path


def published(
    folders: Iterable[Path], runs: Mapping[str, RunConfig], own_folder: Path
) -> Published | None:
    """Those of some runs that are finished in the tables below some folders; None if none is.

    Args:
        folders: Folders with ``runs.csv`` and ``metrics.csv``, or with folders that have them.
        runs: The runs to look for, by run id.
        own_folder: That of their experiment; if it is among the folders, its results count, even
            where another experiment has made the same run again with slightly different ones.

    Raises:
        InputError: If a folder does not exist or has no such tables; if a table is malformed, its
            columns are not those of the run with this id, or it has no metrics of a run; or if two
            tables have different results of one run.
    """
    found: dict[str, _Found] = {}
    first = own_folder.resolve()
    for folder in sorted(_tables(folders), key=lambda one: one != first):
        for own in _found(folder, runs):
            earlier = found.setdefault(own.record.run_id, own)
            if earlier.folder != first:
                _require_equal(earlier, own)
    if not found:
        return None
    every = found.values()
    return Published(
        {run_id: own.record for run_id, own in found.items()},
        pl.concat(own.metrics for own in every),
        pl.concat((own.curve for own in every), how="diagonal_relaxed"),
    )


def published_ids(folder: Path) -> set[str]:
    """Ids of all runs in the tables of a folder; none if it has no tables.

    Raises:
        InputError: If the tables are malformed.
    """
    return set(Results.read(folder).runs["run_id"]) if (folder / RUNS).is_file() else set()


def _tables(folders: Iterable[Path]) -> list[Path]:
    """The folders at and below some folders that have results."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; name one of published results")
        own = sorted(path.parent for path in folder.rglob(RUNS))
        if not own:
            raise InputError(f"{folder} has no {RUNS}; name a folder of published results")
        found += own
    return list(dict.fromkeys(path.resolve() for path in found))


def _require_equal(one: _Found, other: _Found) -> None:
    """Require equal metrics of one run in two folders, whose rows may have another order.

    A run that was made twice may differ in time and revision.
    """
    if one.metrics.sort(_KEY).equals(other.metrics.sort(_KEY)):
        return
    raise InputError(
        f"run {one.record.run_id} has different results in {one.folder} and {other.folder}; "
        "reuse one of these folders alone"
    )


def _found(folder: Path, runs: Mapping[str, RunConfig]) -> list[_Found]:
    content = (folder / RUNS).read_bytes()
    if not any(run_id.encode() in content for run_id in runs):
        return []  # reading the metrics of all experiments would take seconds
    results, curves = Results.read(folder), _curves(folder / CURVES)
    try:
        rows = _rows_of(results.runs, runs)
        return [
            _Found(
                _record(row, runs[row["run_id"]]),
                _metrics_of(row["run_id"], results),
                curves.filter(run_id=row["run_id"]),
                folder,
            )
            for row in rows.iter_rows(named=True)
        ]
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{folder}: {RUNS} or {METRICS} is damaged ({why})") from error


def _rows_of(table: pl.DataFrame, runs: Collection[str]) -> pl.DataFrame:
    """The rows of finished runs."""
    rows = table.filter(pl.col("run_id").is_in(list(runs)), status="finished")
    if rows["run_id"].is_duplicated().any():
        raise ValueError("a run has two rows")
    return rows


def _record(row: Mapping[str, Any], run: RunConfig) -> RunRecord:
    facts = ("status", "device", "steps", "tokens", "exposures", "wall_seconds")
    record = RunRecord(
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
    require_types(record)
    expected = row_of(record)
    for name in filter(expected.__contains__, row):
        is_decisive = name == "seed" or is_science(name)  # several experiments may share a run
        if is_decisive and not _is_equal(row[name], expected[name]):
            raise ValueError(f"run {run.run_id} has {name}={expected[name]}, not {row[name]}")
    return record


def _metrics_of(run_id: str, results: Results) -> pl.DataFrame:
    own = results.metrics.filter(run_id=run_id)
    if own.is_empty():
        raise ValueError(f"run {run_id} has no metrics")
    if own.select(_KEY).is_duplicated().any():
        raise ValueError(f"run {run_id} has a metric twice")
    return own


def _is_equal(value: object, expected: object) -> bool:
    """Whether a cell holds a value; tables have numbers and texts."""
    if value is None or expected is None:
        return value is expected
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return str(value).lower() == str(expected).lower()
    return float(str(value)) == float(expected)


def _part(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The columns of a part, without those that only other runs have."""
    known = {name: value for name, value in row.items() if value is not None}
    return {k.removeprefix(prefix): v for k, v in known.items() if k.startswith(prefix)}


def _curves(path: Path) -> pl.DataFrame:
    """All curves of a folder; an empty table if it has none."""
    if not path.is_file():
        return pl.DataFrame(schema={"run_id": pl.String})
    try:
        table = pl.read_csv(path, infer_schema_length=None, schema_overrides={"run_id": pl.String})
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not a table: {' '.join(str(error).split())}") from error
    if "run_id" not in table.columns:
        raise InputError(f"{path} has no column run_id; reproduce the experiment again")
    return table
