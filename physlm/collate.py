"""Records of many runs as one table: `python -m physlm.collate`."""

import argparse
import difflib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from physlm.errors import InputError
from physlm.record import SCIENCE, RunRecord, by_name, flatten, read_curves, read_record, replacing

# What every row says of its run, before the configuration and the metrics.
_FACTS = ("run_id", "name", "status", "device", "exposures", "steps", "tokens", "wall_seconds",
          "tokens_per_second")  # fmt: skip


# How a run was carried out and what it is compared with; neither tells results apart.
_UNINFORMATIVE = ("published", "runtime.", "logger.", "force", "rescore", "profile", "seeds",
                  "learning_rates")  # fmt: skip


def find_records(folders: Iterable[Path]) -> tuple[list[RunRecord], list[InputError]]:
    """Every record below the folders, in order of run id, and what could not be read.

    Raises:
        InputError: If a folder does not exist.
    """
    records: dict[str, RunRecord] = {}
    unreadable = []
    for path in _record_paths(folders):
        try:
            record = read_record(path)
            records[record.run_id] = record
        except InputError as error:
            unreadable.append(error)
    return [records[run_id] for run_id in sorted(records)], unreadable


def tabulate(records: Sequence[RunRecord]) -> pl.DataFrame:
    """One row per run: facts, configuration with dotted keys, parameter counts, metrics.

    Raises:
        InputError: If there is no record.
    """
    if not records:
        raise InputError("no record.json found; run something first")
    return pl.DataFrame([_row(record) for record in records], infer_schema_length=None)


def tabulate_curves(folders: Iterable[Path]) -> pl.DataFrame:
    """What scorers measured during training, one row a time, of every finished run.

    Raises:
        InputError: If a folder does not exist, a record cannot be read, or no run measured
            anything during training.
    """
    rows = []
    for path in _record_paths(folders):
        record, metrics = read_record(path), path.with_name("metrics.jsonl")
        facts = {"run_id": record.run_id, "name": record.name, "seed": record.config["seed"]}
        curves = read_curves(metrics) if metrics.exists() else []
        rows += [{**facts, **row} for row in curves if "curve/tokens" in row]
    if not rows:
        raise InputError("no curves found; run with runtime.n_measurements=20")
    return pl.DataFrame(rows, infer_schema_length=None)


def varying(table: pl.DataFrame, records: Iterable[RunRecord]) -> pl.DataFrame:
    """The table without empty columns, and without configuration in which its runs do not differ.

    Args:
        table: A row for some of the records.
        records: They tell a value that is null from one that a kind of data does not have.
    """
    run_ids = set(table["run_id"])
    values = defaultdict(set)
    for record in records:
        for name, value in _config(record).items() if record.run_id in run_ids else ():
            values[name].add(value)
    return table.drop([
        name for name in table.columns if table[name].null_count() == len(table)
        or (_is_config(name) and name not in {"seed", "scale"} and len(values[name]) == 1)
    ])  # fmt: skip


def varying_science(table: pl.DataFrame) -> list[str]:
    """Configuration other than the seed that differs between rows and may change a result."""
    science = [name for name in table.columns if _is_science(name)]
    return [name for name in science if table[name].n_unique() > 1]


def summarise(table: pl.DataFrame, by: Sequence[str], metrics: Sequence[str]) -> pl.DataFrame:
    """Mean, standard error and n of metrics over the finished runs that share the values of ``by``.

    The standard error is missing where n is 1.

    Raises:
        InputError: If a column does not exist, or if runs that differ in more than their seed would
            be averaged.
    """
    for name in (*by, *metrics):
        _require_column(name, table)
    table = table.filter(pl.col("status") == "finished")
    for rows in table.partition_by(by):
        if mixed := varying_science(rows):
            keys = ", ".join(mixed)
            raise InputError(f"{keys} vary within a group; add to --by, or choose by --where")
    statistics = []
    for name in metrics:
        column = pl.col(name)
        stderr = column.std() / column.count().sqrt()
        statistics += [
            column.mean(),
            stderr.alias(f"{name}/stderr"),
            column.count().alias(f"{name}/n"),
        ]
    return table.group_by(by).agg(statistics).sort(by)


def choose(table: pl.DataFrame, conditions: Sequence[str]) -> pl.DataFrame:
    """The rows whose columns have the values of conditions such as ``model.d_model=32,64``.

    Raises:
        InputError: If a condition is not of that form, its column unknown, or no row is left.
    """
    for condition in conditions:
        name, _, value = condition.partition("=")
        if not value:
            raise InputError(f"--where {condition}; write COLUMN=VALUE with a column of the table")
        _require_column(name, table)
        column = pl.col(name).cast(pl.String)
        table = table.filter((column == value) | column.is_in(value.split(",")))
    if table.is_empty():
        raise InputError(f"no run with {', '.join(conditions)}")
    return table


def _require_column(name: str, table: pl.DataFrame) -> None:
    """The error names what is like it, or where to look: a table may have hundreds of columns."""
    if name in table.columns:
        return
    near = difflib.get_close_matches(name, table.columns, n=5, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "see the head of --output table.csv"
    raise InputError(f"no column {name}; {hint}")


def write_table(table: pl.DataFrame, path: Path | None) -> None:
    """Write markdown, CSV or JSON by the file's ending, or markdown to standard output."""
    suffix = ".md" if path is None else path.suffix
    writers: dict[str, Callable[[], str]] = {
        ".md": lambda: _markdown(table), ".csv": table.write_csv, ".json": table.write_json,
    }  # fmt: skip
    if suffix not in writers:
        raise InputError(f"{path}; end the name in one of {', '.join(writers)}")
    text = writers[suffix]()
    if path is None:
        sys.stdout.write(text)
        return
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _record_paths(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder} does not exist; give folders that hold run directories")
        yield from sorted(folder.rglob("record.json"))


def _row(record: RunRecord) -> dict[str, Any]:
    facts = {name: getattr(record, name) for name in _FACTS}
    parameters = {f"parameters.{role}": n for role, n in record.parameters.items()}
    corpus = {f"corpus.{name}": value for name, value in record.corpus.items()}
    metrics = {name: metric.value for name, metric in by_name(record.metrics).items()}
    git = {name: record.software.get(name) for name in ("git_revision", "git_dirty")}
    return {**facts, **_config(record), **parameters, **corpus, **metrics, **git}


def _config(record: RunRecord) -> dict[str, Any]:
    config = {
        k: v for k, v in flatten(record.config).items() if _own(k) not in {"name", "runs_dir"}
    }
    config = {k: str(v) if isinstance(v, list) else v for k, v in config.items()}
    return {k: v for k, v in config.items() if not _own(k).startswith(_UNINFORMATIVE)}


def _published(records: Sequence[RunRecord], table: pl.DataFrame) -> list[str]:
    """The metrics of a table that the experiments compare with a paper's number.

    Raises:
        InputError: If there is none.
    """
    names = dict.fromkeys(
        metric
        for record in records
        if record.run_id in table["run_id"]
        for metric in record.published
        if metric in table.columns
    )
    if not names:
        raise InputError("these runs have no published numbers; say which metrics by --metrics")
    return list(names)


def _is_science(name: str) -> bool:
    section, dot, _ = _own(name).partition(".")
    return bool(dot) and section in {*SCIENCE, "kinds"}


def _is_config(name: str) -> bool:
    return _own(name).partition(".")[0] in {*SCIENCE, "kinds", "scale", "init_from"}


def _own(name: str) -> str:
    """A column's name without what says that it is of a run that this one started from."""
    while name.startswith("ancestor."):
        name = name.removeprefix("ancestor.")
    return name


def _markdown(table: pl.DataFrame) -> str:
    rows = [table.columns, ["---"] * table.width]
    rows += [[_cell(value) for value in row] for row in table.iter_rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m physlm.collate", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")],
                        help="where run directories are (default: runs)")  # fmt: skip
    parser.add_argument("--by", nargs="+", metavar="KEY",
                        help="group by these configuration values, over seeds")  # fmt: skip
    parser.add_argument("--metrics", nargs="+", metavar="NAME",
                        help="to average (default: those with a published number)")  # fmt: skip
    parser.add_argument("--curves", action="store_true",
                        help="what was measured during training, one row a time")  # fmt: skip
    parser.add_argument("--where", nargs="+", metavar="KEY=VALUE[,VALUE]", default=[],
                        help="only runs with one of these values")  # fmt: skip
    parser.add_argument("--output", type=Path,
                        help="file ending in .md, .csv or .json (default: print)")  # fmt: skip
    chosen = parser.parse_args(arguments)
    try:
        if chosen.curves:
            write_table(choose(tabulate_curves(chosen.folders), chosen.where), chosen.output)
            return 0
        records, unreadable = find_records(chosen.folders)
        for problem in unreadable:
            print(f"error: {problem}", file=sys.stderr)
        table = choose(tabulate(records), chosen.where)
        if chosen.by and (n_left_out := (table["status"] != "finished").sum()):
            print(f"note: {n_left_out} diverged runs left out of means", file=sys.stderr)
        if chosen.by:
            table = summarise(table, chosen.by, chosen.metrics or _published(records, table))
        else:
            table = varying(table, records)
        write_table(table, chosen.output)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
