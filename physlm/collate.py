"""Tables of many runs: `python -m physlm.collate`."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from physlm.errors import InputError
from physlm.messages import explain
from physlm.record import RunRecord
from physlm.report.command_line import add_where, parser_of_runs, readable_records, require_folder
from physlm.report.results import METRICS, RUNS, Results
from physlm.report.summary import choose, mixed_code, summarise
from physlm.report.tables import (
    find_records,
    markdown,
    records_of,
    tabulate,
    tabulate_curves,
    varying,
    write_table,
)
from physlm.science import caveat


def _require_one_revision(table: pl.DataFrame, *, may_be_mixed: bool) -> None:
    """Refuse runs of different code, whose means would mix changes of the code with noise."""
    if not (fault := mixed_code(table)):
        return
    if not may_be_mixed and not _is_all_unknown(table):
        raise InputError(
            f"these runs are of {fault}; run them again, choose by --where git_revision=..., or "
            "add --mixed-revisions"
        )
    print(f"note: these runs are of {fault}", file=sys.stderr)


def _is_all_unknown(table: pl.DataFrame) -> bool:
    """Whether no run has a revision, as if physlm was installed as a package."""
    return table["git_revision"].null_count() == len(table)


def _changed(records: Sequence[RunRecord], by: Sequence[str]) -> str:
    """A caveat about the published numbers beside means: changed keys that are not columns."""
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
        InputError: If the folder is a file.
    """
    if folder is None:
        sys.stdout.write(f"{markdown(results.runs)}\n{markdown(results.metrics)}")
        return
    require_folder(folder, RUNS, METRICS)
    results.write(folder)


def _published(records: Sequence[RunRecord], results: Results) -> list[str]:
    """The measured metrics for which the experiments have a published number.

    Raises:
        InputError: If there is none.
    """
    measured = set(results.texts)
    texts = dict.fromkeys(
        metric for record in records for metric in record.published if metric in measured
    )
    if not texts:
        raise InputError("these runs have no published numbers; name the metrics by --metrics")
    return list(texts)


def _write_curves(chosen: argparse.Namespace) -> None:
    curves = choose(tabulate_curves(chosen.folders), chosen.where)
    runs = tabulate(records_of(curves, find_records(chosen.folders)[0])).runs
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
        print(f"note: {n_left_out} diverged runs are left out of means", file=sys.stderr)
    tabulated = records_of(results.runs, records)
    means = summarise(results, chosen.by, chosen.metrics or _published(tabulated, results))
    if not chosen.metrics and (line := _changed(tabulated, chosen.by)):
        print(f"note: {line}", file=sys.stderr)
    write_table(means, chosen.output)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = parser_of_runs("collate", __doc__)
    parser.add_argument(
        "--by",
        nargs="+",
        metavar="KEY",
        help="average over seeds, grouped by these configuration values",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="metrics to average (default: those with a published number)",
    )
    parser.add_argument(
        "--curves", action="store_true", help="tabulate the metrics measured during training"
    )
    add_where(parser)
    parser.add_argument(
        "--mixed-revisions",
        action="store_true",
        help="accept runs of several revisions or uncommitted code",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for runs.csv and metrics.csv; with --by or --curves a file "
        "ending in .md, .csv or .json (default: print)",
    )
    try:
        chosen = parser.parse_args(arguments)
        if chosen.curves:
            _write_curves(chosen)
            return 0
        records, are_all_read = readable_records(chosen.folders)
        _write_results(records, chosen)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    return 0 if are_all_read else 2


if __name__ == "__main__":
    sys.exit(main())
