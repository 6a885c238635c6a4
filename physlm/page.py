"""Runs, claims, curves and figures on one HTML page: `python -m physlm.page runs`."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from physlm.atomic import write_text
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.messages import explain
from physlm.report.command_line import parser_of_runs
from physlm.report.page.content import content_of_experiments, content_of_runs
from physlm.report.page.document import charts, document

_EPILOG = """\
examples:
  python -m physlm.page                       all runs in runs/ and the claims that they decide
  python -m physlm.page runs/capacity_1000x   the runs of one folder
  python -m physlm.page --experiments         committed results with their claims and figures
  python -m physlm.page runs --experiments    both

The page is a single file that needs neither a server nor a network."""


def build(folders: Sequence[Path], experiments: Path | None, page: Path) -> list[InputError]:
    """Write the page; returns why records or experiments were left out.

    Args:
        folders: Folders with run directories.
        experiments: The folder of the experiments whose committed results are shown, if any.
        page: The file to write.

    Raises:
        InputError: If there are no runs, a committed claim cannot be decided, or the file cannot be
            written or has another suffix than ``.html``.
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
    try:
        write_text(page, document(content, script))
    except OSError as error:
        raise InputError(
            f"--output {page}: {error.strerror}; name a file that can be written"
        ) from error
    return [error for part in parts for error in part.unreadable]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = parser_of_runs(
        "page",
        __doc__,
        epilog=_EPILOG,
        about="folders with run directories (default: runs, unless --experiments is given)",
        default=(),
    )
    parser.add_argument(
        "--experiments",
        nargs="?",
        type=Path,
        const=Path("experiments"),
        metavar="FOLDER",
        help="add the committed results of the experiments in this folder (default: experiments)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("page.html"),
        metavar="FILE",
        help="the file to write (default: page.html)",
    )
    settle_caches()
    gc.disable()  # the search of millions of values for cycles would take a tenth of the time
    try:
        chosen = parser.parse_args(arguments)
        folders = chosen.folders or ([] if chosen.experiments else [Path("runs")])
        unreadable = build(folders, chosen.experiments, chosen.output)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    finally:
        gc.enable()
    if unreadable:
        n = len(unreadable)
        what = "left out" if n == 1 else f"{n} records or experiments left out, the first"
        print(f"error: {what}: {unreadable[0]}", file=sys.stderr)
    print(f"page: {chosen.output}")
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
