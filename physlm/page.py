"""Claims, runs, curves and figures in one HTML file: `python -m physlm.page runs`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from physlm.atomic import write_text
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.report.page.content import content_of_experiments, content_of_runs
from physlm.report.page.document import charts, document

_EPILOG = """\
examples:
  python -m physlm.page                       the runs below runs/
  python -m physlm.page runs/capacity_1000x   some of them
  python -m physlm.page --experiments         the committed results, with claims and figures
  python -m physlm.page runs --experiments    both

The file needs no server and no network: open it in a browser, send it, or keep it."""


def build(folders: Sequence[Path], experiments: Path | None, page: Path) -> list[InputError]:
    """Write the page; returns why records or experiments were left out.

    Args:
        folders: Where run directories are.
        experiments: The folder of the experiments whose committed results are shown, if any.
        page: The file to write.

    Raises:
        InputError: If there are no runs, a committed claim cannot be decided, or the file has
            another suffix than ``.html``.
    """
    if page.is_dir() or page.suffix != ".html":
        raise InputError(f"--output {page}; name a file that ends in .html")
    script = charts()
    parts = [content_of_runs(folders, page)] if folders else []
    if experiments is not None:
        parts.append(content_of_experiments(experiments, page))
    content = {
        "title": "physlm",
        "claims": [group for part in parts for group in part.claims],
        "tables": [table for part in parts for table in part.tables],
    }
    write_text(page, document(content, script))
    return [error for part in parts for error in part.unreadable]


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
