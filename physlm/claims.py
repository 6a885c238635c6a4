"""Verdicts on published claims: `python -m physlm.claims experiments/capacity`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from physlm.arguments import Parser
from physlm.errors import InputError
from physlm.messages import explain
from physlm.report.decisions import decided_experiments
from physlm.report.experiment import EXPERIMENT
from physlm.report.ledger import DecidedExperiment, all_claims, ledger, write_section
from physlm.report.results import has_results
from physlm.watching import tell


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = Parser("claims", __doc__)
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        help=f"folders with {EXPERIMENT}, and with runs.csv and metrics.csv if they have been run",
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        help="also write the headline claims into this Markdown file beside the folders, and all "
        "claims of each folder into its README.md",
    )
    try:
        chosen = parser.parse_args(arguments)
        found = decided_experiments(chosen.folders)
        _name_those_not_run(chosen.folders)
        if chosen.ledger is not None:
            _write(chosen.ledger, chosen.folders, found)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    sys.stdout.write(ledger(found, headlines_only=False))
    return 0


def _name_those_not_run(folders: Sequence[Path]) -> None:
    """Say how the experiments without results are run."""
    for folder in folders:
        if not has_results(folder):
            tell(
                f"note: {folder} has no results yet; python -m physlm.reproduce "
                f"{folder} --output {folder} makes them"
            )


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
