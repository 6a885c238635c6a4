"""Table and heat map of architectures by tasks: `python -m physlm.architectures`."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from physlm.errors import InputError
from physlm.messages import explain
from physlm.record import RunRecord
from physlm.report.architectures import caveats, compared_architectures
from physlm.report.command_line import add_where, parser_of_runs, readable_records, require_folder
from physlm.report.labels import stale_labels
from physlm.report.results import Results
from physlm.report.summary import choose, mixed_code
from physlm.report.tables import markdown_rows, tabulate, tabulate_curves

_NEVER = ("-", "")  # never reached; not measured in training
TABLE, FIGURE = "architectures.csv", "architectures.svg"
_EXAMPLES = """
examples:
  python -m physlm.run +sweeps=architectures launcher=processes   # Depo
  python -m physlm.run +sweeps=architectures experiment=mano launcher=processes
  python -m physlm.architectures runs --output compared
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    try:
        chosen = _parser().parse_args(arguments)
        _require_finite(chosen.threshold)
        records, are_all_read = readable_records(chosen.folders)
        results = tabulate(records)
        results = results.of_runs(choose(results.runs, chosen.where))
        compared = compared_architectures(
            results,
            _curves(chosen.folders),
            metrics=chosen.metrics,
            loss=chosen.loss,
            threshold=chosen.threshold,
        )
        _show_notes(results, records)
        _show(compared, chosen.threshold)
        if chosen.output is not None:
            _write(compared, chosen.output)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    return 0 if are_all_read else 2


def _parser() -> argparse.ArgumentParser:
    parser = parser_of_runs(
        "architectures",
        "Compare finished runs by their labels: mean and standard error over seeds, at the "
        "learning rate with the lowest loss in the other seeds.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        default=[],
        help='such as "task/accuracy{k=1}" (default: all accuracies of synthetic tasks)',
    )
    parser.add_argument(
        "--loss",
        metavar="NAME",
        help="metric that chooses the learning rate, by its lowest mean in the other seeds "
        "(default: task/loss_nats of the same answers)",
    )
    add_where(parser)
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        help="show the tokens of training until a metric first reaches this value (default: "
        "%(default)s)",
    )
    parser.add_argument("--output", type=Path, help=f"folder for {TABLE} and {FIGURE}")
    return parser


def _require_finite(threshold: float) -> None:
    """Require a threshold that a curve can reach."""
    if not math.isfinite(threshold):
        raise InputError(f"--threshold {threshold}; must be a finite number")


def _curves(folders: Sequence[Path]) -> pl.DataFrame | None:
    """The curves of the runs; None if they kept none."""
    try:
        return tabulate_curves(folders)
    except InputError:
        return None


def _show_notes(results: Results, records: Sequence[RunRecord]) -> None:
    """What a reader must know of the compared runs, on standard error."""
    ids = set(results.runs["run_id"])
    notes = caveats(results) + stale_labels(record for record in records if record.run_id in ids)
    if fault := mixed_code(results.runs):
        notes.append(f"these runs are of {fault}")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _show(compared: pl.DataFrame, threshold: float) -> None:
    heads = (
        *("task", "metric", "architecture", "mean", "chance", "n", "depth"),
        f"tokens to {threshold:g}",
        *("learning rate", "tokens/s", "parameters"),
    )
    sys.stdout.write(markdown_rows(heads, map(_cells, compared.iter_rows(named=True))))


def _cells(row: dict[str, object]) -> list[str]:
    """A row as text; tokens are a mean over the seeds that reached the threshold."""
    mean, error, n = row["mean"], row["stderr"], row["n"]
    tokens = _NEVER[row["n_reached"] is None] if row["tokens"] is None else f"{row['tokens']:,.0f}"
    if row["n_reached"] not in {None, 0, n}:
        tokens += f" ({row['n_reached']} of {n})"
    return [
        str(row["experiment"]),
        str(row["metric"]),
        str(row["label"]),
        f"{mean:.3f}" if error is None else f"{mean:.3f} ± {error:.3f}",
        "" if row["chance"] is None else f"{row['chance']:.3f}",
        str(n),
        "" if row["depth"] is None else f"{row['depth']:g}",
        tokens,
        str(row["learning_rate"]),
        f"{row['speed']:,.0f}",
        f"{row['parameters']:,.0f}",
    ]


def _write(compared: pl.DataFrame, folder: Path) -> None:
    """The table as CSV, and the heat map.

    Raises:
        InputError: If the folder is a file.
    """
    require_folder(folder, TABLE, FIGURE)
    from physlm.analysis.figures import save_figure
    from physlm.report.figures.architectures import draw_architectures

    folder.mkdir(parents=True, exist_ok=True)
    compared.write_csv(folder / TABLE)
    save_figure(draw_architectures(compared), folder / FIGURE)
    print(f"written: {folder / TABLE}, {folder / FIGURE}")


if __name__ == "__main__":
    sys.exit(main())
