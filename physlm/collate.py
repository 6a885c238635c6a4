"""Records of many runs as tables: `python -m physlm.collate`."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from physlm.errors import InputError
from physlm.measurement import dims_text, parse_metric
from physlm.record import SCIENCE, RunRecord, flatten, read_curves, read_record, replacing
from physlm.results import METRICS, RUNS, Results
from physlm.science import caveat, own_key
from physlm.summary import choose, mixed_code, summarise

# What every row says of its run, before the configuration and the metrics.
_FACTS = (
    "run_id",
    "name",
    "status",
    "device",
    "exposures",
    "steps",
    "tokens",
    "wall_seconds",
    "tokens_per_second",
)


# How a run was carried out and what it is compared with; neither tells results apart.
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
    """Every record below the folders, in order of run id, and what could not be read.

    Raises:
        InputError: If a folder does not exist, or two of them have different records of one run.
    """
    records: dict[str, RunRecord] = {}
    unreadable = []
    for path in _record_paths(folders):
        try:
            record = read_record(path)
        except InputError as error:
            unreadable.append(error)
            continue
        if records.setdefault(record.run_id, record) != record:
            raise InputError(
                f"{path}: run {record.run_id} is recorded elsewhere in these folders with other "
                "results; give one of the two folders"
            )
    return [records[run_id] for run_id in sorted(records)], unreadable


def tabulate(records: Sequence[RunRecord]) -> Results:
    """The runs, with their facts, configuration in dotted keys and parameter counts; the metrics.

    Raises:
        InputError: If there is no record.
    """
    if not records:
        raise InputError("no record.json found; run something first")
    runs = pl.DataFrame([_row(record) for record in records], infer_schema_length=None)
    return Results.of(runs, [row for record in records for row in _metric_rows(record)])


def tabulate_curves(folders: Iterable[Path]) -> pl.DataFrame:
    """What scorers measured during training, one row a metric and time, of every finished run.

    Raises:
        InputError: If a folder does not exist, a record cannot be read, or no run measured
            anything during training.
    """
    rows = []
    for path in _record_paths(folders):
        record, metrics = read_record(path), path.with_name("metrics.jsonl")
        facts = {"run_id": record.run_id, "name": record.name, "seed": record.config["seed"]}
        curves = read_curves(metrics) if metrics.exists() else []
        rows += [{**facts, **row} for curve in curves for row in _curve_rows(curve)]
    if not rows:
        raise InputError("no curves found; run with runtime.n_measurements=20")
    return pl.DataFrame(rows, infer_schema_length=None)


def _curve_rows(curve: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """One for each metric that was measured at a time."""
    if "curve/tokens" not in curve:
        return
    times = {"step": curve["step"], "tokens": curve["curve/tokens"]}
    for text, value in curve.items():
        if text.startswith("curve/") and text != "curve/tokens":
            name, dims = parse_metric(text.removeprefix("curve/"))
            yield {**times, "metric": name, "dims": dims_text(dims), "value": value}


def varying(results: Results, records: Iterable[RunRecord], kept: Collection[str] = ()) -> Results:
    """The results without empty columns, and without configuration in which runs do not differ.

    What a run changes of its experiment stays, though all may have it.

    Args:
        results: Of some of the records.
        records: They tell a value that is null from one that a kind of data does not have.
        kept: Columns that stay, too.
    """
    table = results.runs
    values = defaultdict(set)
    kept = {"seed", "scale", *kept}
    for record in _of(table, records):
        kept |= set(record.changed or ())
        for name, value in _config(record).items():
            values[name].add(value)
    return results.of_runs(
        table.drop(
            [
                name
                for name in table.columns
                if table[name].null_count() == len(table)
                or (_is_config(name) and name not in kept and len(values[name]) == 1)
            ]
        )
    )


def _of(table: pl.DataFrame, records: Iterable[RunRecord]) -> list[RunRecord]:
    run_ids = set(table["run_id"])
    return [record for record in records if record.run_id in run_ids]


def _require_one_revision(table: pl.DataFrame, *, may_be_mixed: bool) -> None:
    """Means over runs of different code mix what the code changed with chance."""
    if not (fault := mixed_code(table)):
        return
    if not may_be_mixed and not _is_all_unknown(table):
        raise InputError(
            f"these runs are of {fault}; run them again, choose by --where git_revision=..., or "
            "add --mixed-revisions"
        )
    print(f"note: these runs are of {fault}", file=sys.stderr)


def _is_all_unknown(table: pl.DataFrame) -> bool:
    """As where physlm was installed from a package, and not from a checkout."""
    return table["git_revision"].null_count() == len(table)


def _changed(records: Sequence[RunRecord], by: Sequence[str]) -> str:
    """The line that goes with means of what papers published: changes that are no column of it."""
    if any(record.changed is None for record in records):
        return caveat(None)
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for key, both in (record.changed or {}).items():
            found[key].add(both)
    return caveat({k: " or ".join(sorted(both)) for k, both in found.items() if k not in by})


def write_results(results: Results, folder: Path | None) -> None:
    """Write both tables into a folder, or markdown to standard output.

    Raises:
        InputError: If a file is named.
    """
    if folder is None:
        sys.stdout.write(f"{_markdown(results.runs)}\n{_markdown(results.metrics)}")
        return
    if folder.suffix or folder.is_file():
        raise InputError(f"--output {folder}; name a folder, which gets {RUNS} and {METRICS}")
    results.write(folder)


def write_table(table: pl.DataFrame, path: Path | None) -> None:
    """Write markdown, CSV or JSON by the file's ending, or markdown to standard output."""
    suffix = ".md" if path is None else path.suffix
    writers: dict[str, Callable[[], str]] = {
        ".md": lambda: _markdown(table),
        ".csv": table.write_csv,
        ".json": table.write_json,
    }
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
        k: v for k, v in flatten(record.config).items() if own_key(k) not in {"name", "runs_dir"}
    }
    config = {k: str(v) if isinstance(v, list) else v for k, v in config.items()}
    return {k: v for k, v in config.items() if not own_key(k).startswith(_UNINFORMATIVE)}


def _published(records: Sequence[RunRecord], results: Results) -> list[str]:
    """The metrics of results that the experiments compare with a paper's number.

    Raises:
        InputError: If there is none.
    """
    measured = set(results.texts)
    texts = dict.fromkeys(
        metric for record in records for metric in record.published if metric in measured
    )
    if not texts:
        raise InputError("these runs have no published numbers; say which metrics by --metrics")
    return list(texts)


def _is_config(name: str) -> bool:
    return own_key(name).partition(".")[0] in {*SCIENCE, "kinds", "scale", "init_from"}


def _markdown(table: pl.DataFrame) -> str:
    rows = [table.columns, ["---"] * table.width]
    rows += [[_cell(value) for value in row] for row in table.iter_rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_curves(chosen: argparse.Namespace) -> None:
    curves = choose(tabulate_curves(chosen.folders), chosen.where)
    runs = tabulate(_of(curves, find_records(chosen.folders)[0])).runs
    _require_one_revision(runs, may_be_mixed=chosen.mixed_revisions)
    write_table(curves, chosen.output)


def _write_results(records: Sequence[RunRecord], chosen: argparse.Namespace) -> None:
    results = tabulate(records)
    results = results.of_runs(choose(results.runs, chosen.where))
    _require_one_revision(results.runs, may_be_mixed=chosen.mixed_revisions)
    if not chosen.by:
        write_results(varying(results, records), chosen.output)
        return
    if n_left_out := (results.runs["status"] != "finished").sum():
        print(f"note: {n_left_out} diverged runs left out of means", file=sys.stderr)
    tabulated = _of(results.runs, records)
    means = summarise(results, chosen.by, chosen.metrics or _published(tabulated, results))
    if not chosen.metrics and (line := _changed(tabulated, chosen.by)):
        print(f"note: {line}", file=sys.stderr)
    write_table(means, chosen.output)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m physlm.collate", description=__doc__)
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        default=[Path("runs")],
        help="where run directories are (default: runs)",
    )
    parser.add_argument(
        "--by", nargs="+", metavar="KEY", help="group by these configuration values, over seeds"
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="to average (default: those with a published number)",
    )
    parser.add_argument(
        "--curves", action="store_true", help="what was measured during training, time by time"
    )
    parser.add_argument(
        "--where",
        nargs="+",
        metavar="KEY=VALUE[,VALUE]",
        default=[],
        help="only runs with one of these values",
    )
    parser.add_argument(
        "--mixed-revisions",
        action="store_true",
        help="even of several revisions or uncommitted code",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for runs.csv and metrics.csv; of --by and --curves a file "
        "ending in .md, .csv or .json (default: print)",
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.curves:
            _write_curves(chosen)
            return 0
        records, unreadable = find_records(chosen.folders)
        for problem in unreadable:
            print(f"error: {problem}", file=sys.stderr)
        _write_results(records, chosen)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
