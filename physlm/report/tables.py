"""Tables of many records, and their output as files."""

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from physlm.atomic import write_text
from physlm.errors import InputError
from physlm.measurement import dims_text, parse_metric
from physlm.record import RunRecord, read_record
from physlm.report.results import Results
from physlm.run_directory import CurvePoint, curve_points, read_curves
from physlm.science import SCIENCE, flatten, own_key

# Columns of every run, before the configuration.
_FACTS = (
    "run_id",
    "experiment",
    "status",
    "device",
    "exposures",
    "steps",
    "tokens",
    "wall_seconds",
    "tokens_per_second",
)

# Keys of how a run was executed and what it is compared with, which do not change its result.
_UNINFORMATIVE = (
    "published",
    "runtime.",
    "logger.",
    "force",
    "rescore",
    "profile",
    "seeds",
    "learning_rates",
)


def find_records(folders: Iterable[Path]) -> tuple[list[RunRecord], list[InputError]]:
    """All records below the folders, in order of run id, and the errors of unreadable ones.

    Raises:
        InputError: If a folder does not exist, or has another record of the same run.
    """
    located, unreadable = locate_records(folders)
    return sorted(located.values(), key=lambda record: record.run_id), unreadable


def locate_records(folders: Iterable[Path]) -> tuple[dict[Path, RunRecord], list[InputError]]:
    """All records below the folders by path, and the errors of unreadable ones.

    Raises:
        InputError: As in `find_records`.
    """
    records: dict[str, RunRecord] = {}
    located, unreadable = {}, []
    for path in _record_paths(folders):
        try:
            record = read_record(path)
        except InputError as error:
            unreadable.append(error)
            continue
        if record.run_id not in records:
            located[path] = record
        if records.setdefault(record.run_id, record) != record:
            raise InputError(
                f"{path}: run {record.run_id} has another record in these folders with different "
                "results; give only one of the two folders"
            )
    return located, unreadable


def require_records(folders: Sequence[Path]) -> tuple[dict[Path, RunRecord], list[InputError]]:
    """All records below the folders by path, and the errors of unreadable ones.

    Raises:
        InputError: As in `find_records`, or if no record can be read.
    """
    located, unreadable = locate_records(folders)
    if not located:
        names = ", ".join(map(str, folders))
        raise (
            unreadable[0]
            if unreadable
            else InputError(
                f"{names}: no record.json below; run something first, or name another folder"
            )
        )
    return located, unreadable


def tabulate(records: Sequence[RunRecord]) -> Results:
    """Results of records: runs with configuration and parameter counts, and their metrics.

    Raises:
        InputError: If there is no record.
    """
    if not records:
        raise InputError("no record.json found; run something first")
    runs = pl.DataFrame([row_of(record) for record in records], infer_schema_length=None)
    return Results.of(runs, [row for record in records for row in _metric_rows(record)])


def tabulate_curves(folders: Iterable[Path]) -> pl.DataFrame:
    """The training loss and the metrics measured during training: one row per run, metric, time.

    Raises:
        InputError: If a folder does not exist, a record cannot be read, or no run kept its curves.
    """
    rows = []
    for path in _record_paths(folders):
        record, metrics = read_record(path), path.with_name("metrics.jsonl")
        facts = {
            "run_id": record.run_id,
            "experiment": record.experiment,
            "seed": record.config["seed"],
        }
        curves = read_curves(metrics) if metrics.exists() else []
        rows += [{**facts, **_curve_row(point)} for point in curve_points(curves)]
    if not rows:
        raise InputError("no curves found: no run directory has a metrics.jsonl; run something")
    return pl.DataFrame(rows, infer_schema_length=None)


def _curve_row(point: CurvePoint) -> dict[str, Any]:
    name, dims = parse_metric(point.metric)
    return {
        "step": point.step,
        "tokens": point.tokens,
        "exposures": point.exposures,
        "metric": name,
        "dims": dims_text(dims),
        "value": point.value,
    }


def varying(results: Results, records: Iterable[RunRecord], kept: Collection[str] = ()) -> Results:
    """The results without empty columns, and without configuration in which runs do not differ.

    Keys that a run changes in its experiment are kept even if all runs have the same value.

    Args:
        results: Results of some of the records.
        records: Records of the runs, which distinguish null values from missing keys.
        kept: Other columns to keep.
    """
    table = results.runs
    values = defaultdict(set)
    kept = {"seed", "scale", *kept}
    for record in records_of(table, records):
        kept |= set(record.changed or ())
        for name, value in _config(record).items():
            values[name].add(value)
    return results.of_runs(
        table.drop(
            [
                name
                for name in table.columns
                if table[name].null_count() == len(table)
                or (is_configuration(name) and name not in kept and len(values[name]) == 1)
            ]
        )
    )


def records_of(table: pl.DataFrame, records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records of the runs in a table."""
    run_ids = set(table["run_id"])
    return [record for record in records if record.run_id in run_ids]


def write_table(table: pl.DataFrame, path: Path | None) -> None:
    """Write Markdown, CSV or JSON by the file's suffix, or print Markdown.

    Raises:
        InputError: If the suffix is another one.
    """
    suffix = ".md" if path is None else path.suffix
    writers: dict[str, Callable[[], str]] = {
        ".md": lambda: markdown(table),
        ".csv": table.write_csv,
        ".json": table.write_json,
    }
    if suffix not in writers:
        raise InputError(f"{path}; end the name in one of {', '.join(writers)}")
    text = writers[suffix]()
    if path is None:
        sys.stdout.write(text)
        return
    write_text(path, text)


def markdown(table: pl.DataFrame) -> str:
    """A table in Markdown, with four digits per number."""
    return markdown_rows(table.columns, (map(_cell, row) for row in table.iter_rows()))


def markdown_rows(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of texts, with vertical bars in cells escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _record_paths(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder} does not exist; give folders that hold run directories")
        if folder.is_file():
            raise InputError(f"{folder} is a file; give its folder, {folder.parent}")
        yield from sorted(folder.rglob("record.json"))


def row_of(record: RunRecord) -> dict[str, Any]:
    """The row of a run in the table of runs: its facts, configuration and parameter counts."""
    facts = {name: getattr(record, name) for name in _FACTS}
    parameters = {f"parameters.{role}": n for role, n in record.parameters.items()}
    corpus = {f"corpus.{name}": value for name, value in record.corpus.items()}
    git = {name: record.software.get(name) for name in ("git_revision", "git_dirty")}
    return {**facts, **_config(record), **parameters, **corpus, **git}


def _metric_rows(record: RunRecord) -> list[dict[str, Any]]:
    return [
        {
            "run_id": record.run_id,
            "metric": metric.name,
            "dims": dims_text(metric.dims),
            "value": metric.value,
            "stderr": metric.stderr,
            "n": metric.n,
        }
        for metric in record.metrics
    ]


def _config(record: RunRecord) -> dict[str, Any]:
    config = {
        k: v
        for k, v in flatten(record.config).items()
        if own_key(k) not in {"experiment", "runs_dir"}
    }
    config = {k: str(v) if isinstance(v, list) else v for k, v in config.items()}
    return {k: v for k, v in config.items() if not own_key(k).startswith(_UNINFORMATIVE)}


def is_configuration(name: str) -> bool:
    """Whether a column is configuration, not a result or cost of the run."""
    return own_key(name).partition(".")[0] in {*SCIENCE, "kinds", "label", "scale", "init_from"}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
