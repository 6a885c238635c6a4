"""Claims, runs, curves and figures in one HTML file: `python -m physlm.page runs`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from physlm.atomic import write_text
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.report.page.curves import committed_points, curves, recorded_points
from physlm.report.page.document import charts, document
from physlm.report.page.run_table import run_table
from physlm.report.results import METRICS, Results
from physlm.report.tables import locate_records, tabulate

_EPILOG = """\
examples:
  python -m physlm.page                       the runs below runs/
  python -m physlm.page runs/capacity_1000x   some of them
  python -m physlm.page --experiments         the committed results, with claims and figures
  python -m physlm.page runs --experiments    both

The file needs no server and no network: open it in a browser, send it, or keep it."""


def _of_runs(folders: Sequence[Path]) -> tuple[dict[str, Any], list[InputError]]:
    """The runs below some folders, and what could not be read."""
    located, unreadable = locate_records(folders)
    name = ", ".join(map(str, folders))
    if not located:
        raise (
            unreadable[0]
            if unreadable
            else InputError(
                f"{name}: no record.json below; run something first, or name another folder"
            )
        )
    records = list(located.values())
    published = [metric for record in records for metric in record.published]
    table = run_table(name, "", tabulate(records), first=published)
    return table.as_plain() | {"curves": curves(recorded_points(located.items()))}, unreadable


def _of_experiments(folder: Path, page: Path) -> tuple[list[Any], list[Any]]:
    """The papers with their experiments and claims, and the runs of each experiment."""
    # Deciding claims needs scipy, which takes longer to import than a page of runs to build.
    from physlm.report.decisions import decided_experiments
    from physlm.report.ledger import in_order
    from physlm.report.page.claim_table import metrics_of, papers

    own = sorted(path.parent for path in folder.glob(f"*/{METRICS}"))
    if not own:
        raise InputError(
            f"--experiments {folder}: no */{METRICS} in it; name the folder that holds those of "
            "the experiments"
        )
    decided = in_order(decided_experiments(own))
    tables = []
    for experiment in (d.experiment for d in decided):
        results = Results.read(folder / experiment.name)
        first = metrics_of(experiment.claims)
        table = run_table(experiment.name, experiment.title, results, first=first)
        points = committed_points(folder / experiment.name)
        tables.append(table.as_plain() | {"curves": curves(points)})
    return papers(decided, folder, page), tables


def build(folders: Sequence[Path], experiments: Path | None, page: Path) -> list[InputError]:
    """Write the page, and give back what could not be read.

    Args:
        folders: Where run directories are.
        experiments: Where the folders of experiments are; None leaves out claims and figures.
        page: The file.

    Raises:
        InputError: If there is no run at all, a claim cannot be decided, or the file is no page.
    """
    if page.is_dir() or page.suffix != ".html":
        raise InputError(f"--output {page}; name a file that ends in .html")
    script = charts()
    content: dict[str, Any] = {"title": "physlm", "papers": [], "tables": []}
    unreadable: list[InputError] = []
    if folders:
        table, unreadable = _of_runs(folders)
        content["tables"].append(table)
    if experiments is not None:
        content["papers"], tables = _of_experiments(experiments, page)
        content["tables"] += tables
    write_text(page, document(content, script))
    return unreadable


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m physlm.page",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="RUNS",
        help="where run directories are (default: runs, unless --experiments is given)",
    )
    parser.add_argument(
        "--experiments",
        nargs="?",
        type=Path,
        const=Path("experiments"),
        metavar="FOLDER",
        help="the committed results in this folder (default: experiments), with claims and figures",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("page.html"),
        metavar="FILE",
        help="the file to write (default: page.html)",
    )
    chosen = parser.parse_args(arguments)
    folders = chosen.folders or ([] if chosen.experiments else [Path("runs")])
    settle_caches()
    try:
        unreadable = build(folders, chosen.experiments, chosen.output)
    except (InputError, OSError, pl.exceptions.PolarsError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if unreadable:
        others = f" (and {len(unreadable) - 1} others)" * (len(unreadable) > 1)
        print(f"error: left out{others}: {unreadable[0]}", file=sys.stderr)
    print(f"page: {chosen.output}")
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
