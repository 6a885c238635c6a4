"""Results as two tables: one row per run, and one row per metric of each run."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.measurement import dims_text, metric_text, parse_dims, parse_metric

RUNS, METRICS = "runs.csv", "metrics.csv"

_METRIC_COLUMNS = {
    "run_id": pl.String,
    "metric": pl.String,
    "dims": pl.String,
    "value": pl.Float64,
    "stderr": pl.Float64,
    "n": pl.Int64,
}
# Texts that may look like numbers.
_TEXTS = {"run_id": pl.String, "git_revision": pl.String, "corpus.fingerprint": pl.String}


def has_results(folder: Path) -> bool:
    """Whether a folder has results; one table without the other is an error when they are read."""
    return any((folder / name).exists() for name in (RUNS, METRICS))


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Results of several runs.

    Attributes:
        runs: One row per run: its id, cost and size, the configuration in which the runs differ,
            and the revision of the code.
        metrics: One row per metric of a run: ``run_id``, ``metric``, ``dims`` as text such as
            ``attribute=major,split=train_people``, ``value``, ``stderr`` and ``n``.
    """

    runs: pl.DataFrame
    metrics: pl.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """The results in a folder.

        Raises:
            InputError: If one of the two tables is missing or malformed.
        """
        runs = _read(folder / RUNS, overrides=_TEXTS)
        metrics = _read(folder / METRICS, overrides=_METRIC_COLUMNS)
        if missing := [name for name in _METRIC_COLUMNS if name not in metrics.columns]:
            raise InputError(f"{folder / METRICS} has no column {missing[0]}; collate it again")
        return cls(runs, metrics.with_columns(pl.col("dims").fill_null("")))

    @classmethod
    def of(cls, runs: pl.DataFrame, rows: list[dict[str, Any]]) -> "Results":
        """Results from a table of runs and the rows of their metrics."""
        return cls(runs, pl.DataFrame(rows, schema=_METRIC_COLUMNS))

    def write(self, folder: Path) -> None:
        """Write both tables as CSV."""
        for name, table in ((RUNS, self.runs), (METRICS, self.metrics)):
            with replacing(folder / name) as temporary:
                table.write_csv(temporary)

    def filter(self, *conditions: pl.Expr, **values: object) -> "Results":
        """The results of the runs that satisfy all conditions and have these values in columns."""
        return self.of_runs(self.runs.filter(*conditions, **values))

    def of_runs(self, runs: pl.DataFrame) -> "Results":
        """The results of some of the runs."""
        own = self.metrics.join(runs.select("run_id"), on="run_id", how="semi")
        return Results(runs, own)

    @property
    def texts(self) -> list[str]:
        """The texts of all metrics, as ``qa/chance{split=train_people}``."""
        kinds = self.metrics.select("metric", "dims").unique(maintain_order=True)
        return [metric_text(name, parse_dims(dims)) for name, dims in kinds.iter_rows()]

    def values(self, metric: str) -> pl.Series:
        """The values of a metric over the runs that have it.

        Raises:
            InputError: If no run has it.
        """
        return self.table(metric)[metric].drop_nulls()

    def table(self, *metrics: str) -> pl.DataFrame:
        """The runs with a column for each of these metrics, null if a run does not have it.

        Raises:
            InputError: If no run has one of them, or a run has one twice.
        """
        table = self.runs
        for metric in dict.fromkeys(metrics):
            table = table.join(self._column(metric), on="run_id", how="left", maintain_order="left")
        return table

    def along(self, name: str) -> pl.DataFrame:
        """All metrics of a name: run id, value, and a column for each dimension."""
        rows = self.metrics.filter(pl.col("metric") == name)
        dims = [parse_dims(text) for text in rows["dims"]]
        keys = dict.fromkeys(key for own in dims for key in own)
        columns = [pl.Series(key, [own.get(key) for own in dims], strict=False) for key in keys]
        return rows.select("run_id", "value").with_columns(*columns)

    def _column(self, metric: str) -> pl.DataFrame:
        name, dims = _parsed(metric)
        is_it = (pl.col("metric") == name) & (pl.col("dims") == dims_text(dims))
        found = self.metrics.filter(is_it).select("run_id", pl.col("value").alias(metric))
        if found.is_empty():
            raise InputError(f"results have no metric {metric}; {self._nearest(metric)}")
        if found["run_id"].is_duplicated().any():
            raise InputError(
                f"results have {metric} twice for one run; leave out one of the scorers"
            )
        return found

    def _nearest(self, metric: str) -> str:
        texts = self.texts
        name = metric.partition("{")[0]
        near = [text for text in texts if text.partition("{")[0] == name][:5]
        near = near or difflib.get_close_matches(metric, texts, n=5, cutoff=0.4)
        return f"did you mean {' or '.join(near)}?" if near else f"see the rows of {METRICS}"


def _parsed(metric: str) -> tuple[str, dict[str, Any]]:
    try:
        return parse_metric(metric)
    except ValueError as error:
        raise InputError(str(error)) from error


def _read(path: Path, overrides: dict[str, Any]) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(
            f"{path} is missing; python -m physlm.collate runs --output {path.parent} makes it"
        )
    try:
        table = pl.read_csv(path, infer_schema_length=None, schema_overrides=overrides)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not a table: {' '.join(str(error).split())}") from error
    return table
