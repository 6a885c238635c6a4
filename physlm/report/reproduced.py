"""What became of an experiment's runs: its tables, its figure, and its claims."""

import runpy
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from rich.table import Table

from physlm.config import RunConfig
from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.claim_runs import judged
from physlm.report.experiment import Experiment
from physlm.report.ledger import bound, measured
from physlm.report.results import METRICS, RUNS, Results
from physlm.report.summary import mixed_code, summarise, varying_science
from physlm.report.tables import tabulate, tabulate_curves, varying, write_table
from physlm.report.verdict import has_runs
from physlm.run_directory import RunDirectory
from physlm.watching import reason, table_console, tell

_CURVES = "curve.csv"


def present(
    experiment: Experiment,
    folder: Path,
    runs: Sequence[RunConfig],
    output: Path,
    *,
    is_changed: bool,
) -> None:
    """Write tables and figure, and print what the claims come to.

    Args:
        experiment: Whose runs they are.
        folder: Where it is, with its figure and what was measured before.
        runs: All that are asked for; those without a record are left out.
        output: The folder that is written.
        is_changed: The runs are not the experiment's; then no claim is decided.

    Raises:
        InputError: If there is no record at all, or what is kept for the experiment would be of
            several revisions of the code.
    """
    records = [RunDirectory(run.run_dir).read_record(run.run_id) for run in runs]
    known = [record for record in records if record is not None]
    results = tabulate(known)
    _tell_of_mixed_code(results, output, may_be_kept=output.resolve() != folder.resolve())
    selected = {key for claim in experiment.claims for s in claim.selections for key in s}
    varying(results, known, kept=selected).write(output)
    _draw(folder, output, [run.run_dir for run in runs])
    if is_changed:
        print("values of changed runs, hence no verdicts:")
        write_table(_means(experiment, results), None)
    else:
        table_console().print(verdicts(experiment, folder, results, runs[0].scale.value))
    print(f"tables: {output / RUNS}, {output / METRICS}", flush=True)


def _tell_of_mixed_code(results: Results, output: Path, *, may_be_kept: bool) -> None:
    if fault := mixed_code(results.runs):
        if not may_be_kept:
            raise InputError(
                f"these runs are of {fault}, and {output} keeps those of one committed revision; "
                "leave out --output or name another folder"
            )
        tell(f"note: these runs are of {fault}")


def verdicts(experiment: Experiment, folder: Path, results: Results, scale: str) -> Table:
    """The claims: published, as measured before, and as measured by these runs.

    Args:
        experiment: Whose claims they are.
        folder: Where it is, with what was measured before.
        results: Of these runs.
        scale: At which they were run.
    """
    table = Table(title=f"{experiment.title} (scale {scale})", title_justify="left")
    for heading in ("claim", "paper", "committed", "here", "bound", "verdict"):
        table.add_column(heading)
    before = Results.read(folder) if (folder / METRICS).is_file() else None
    for claim in experiment.claims:
        committed = "-" if before is None else _said(claim, before)[0]
        here, word = _said(replace(claim, scale=scale), results)
        table.add_row(claim.id, claim.published, committed, here, bound(claim), word)
    return table


def _said(claim: Claim, results: Results) -> tuple[str, str]:
    """The quantity and the verdict of a claim."""
    if not has_runs(claim, results):
        return "-", "not run"
    try:
        verdict = judged(claim, results)
    except InputError as error:
        return "-", f"not decided: {error}"
    return measured(claim, verdict), f"{verdict.word}: {verdict.why}".removesuffix(": ")


def _means(experiment: Experiment, results: Results) -> pl.DataFrame:
    """The metrics of claims, over seeds, by all in which the runs differ."""
    known = results.texts
    metrics = dict.fromkeys(m for claim in experiment.claims for m in claim.metrics if m in known)
    return summarise(results, ["experiment", *varying_science(results.runs)], list(metrics))


def _draw(folder: Path, output: Path, run_dirs: Sequence[Path]) -> None:
    """The experiment's own figure, of the tables beside which its program is put.

    A figure may need arms that were not run; then there is none, and a line says so.
    """
    program = output / "figure.py"
    if output.resolve() != folder.resolve():
        (output / "figure.svg").unlink(missing_ok=True)  # of other runs
        if (folder / program.name).is_file():
            shutil.copy(folder / program.name, program)
    try:
        if (folder / _CURVES).is_file():
            write_table(tabulate_curves(run_dirs), output / _CURVES)
        runpy.run_path(str(program), run_name="__main__")
    except Exception as error:  # noqa: BLE001 - whatever it is, the tables are there
        tell(
            f"note: {program} draws no figure of these runs: {type(error).__name__}: "
            f"{reason(error)}"
        )
