"""Verdicts on published claims: `python -m physlm.claims experiments/capacity`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from physlm.errors import InputError
from physlm.report.decisions import decided_experiments
from physlm.report.experiment import EXPERIMENT
from physlm.report.ledger import DecidedExperiment, all_claims, ledger, write_section
from physlm.report.results import METRICS, RUNS
from physlm.revision import add_version


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m physlm.claims", description=__doc__)
    add_version(parser)
    parser.add_argument(
        "folders", nargs="+", type=Path, help=f"folders with {EXPERIMENT}, runs.csv and metrics.csv"
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        help="also write the headline claims into this Markdown file beside the folders, and all "
        "claims of each folder into its README.md",
    )
    chosen = parser.parse_args(arguments)
    measured = [f for f in chosen.folders if (f / RUNS).is_file() and (f / METRICS).is_file()]
    missing = [folder for folder in chosen.folders if folder not in measured]
    for folder in missing:
        print(
            f"error: {folder} has no results; python -m physlm.reproduce {folder.name} --output "
            f"{folder} makes them",
            file=sys.stderr,
        )
    try:
        found = decided_experiments(measured)
        if chosen.ledger is not None:
            _write(chosen.ledger, measured, found)
    except (InputError, OSError, pl.exceptions.PolarsError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    sys.stdout.write(ledger(found, headlines_only=False))
    return 2 if missing else 0


def _write(path: Path, folders: Sequence[Path], found: Sequence[DecidedExperiment]) -> None:
    """Write the ledger with headline claims, and all claims into each experiment's README."""
    for folder in folders:
        if folder.resolve().parent != path.resolve().parent:
            raise InputError(f"{folder} is not beside {path}, which links to it; move one of them")
    for folder, experiment in zip(folders, found, strict=True):
        write_section(folder / "README.md", all_claims(experiment))
    write_section(path, ledger(found, headlines_only=True))


if __name__ == "__main__":
    sys.exit(main())
