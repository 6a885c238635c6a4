"""Output of a reproduced experiment: tables, figure, and verdicts."""

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
from physlm.report.ledger import bound, measured, why_undecided
from physlm.report.predicted import PREDICTIONS
from physlm.report.published import CURVES, Published
from physlm.report.results import METRICS, RUNS, Results, has_results
from physlm.report.summary import mixed_code, summarise, varying_science
from physlm.report.tables import tabulate, tabulate_curves, varying, write_table
from physlm.report.verdict import has_runs
from physlm.run_directory import RunDirectory
from physlm.watching import reason, table_console, tell


def present(
    experiment: Experiment,
    folder: Path,
    runs: Sequence[RunConfig],
    output: Path,
    *,
    is_changed: bool,
    reused: Published | None = None,
) -> None:
    """Write tables and figure, and print the verdicts.

    Args:
        experiment: The experiment.
        folder: Its folder, with its figure and committed results.
        runs: The requested runs; those without a record are left out.
        output: The folder that is written.
        is_changed: Whether the runs differ from the experiment's, so that no claim is decided.
        reused: Results of runs that were not repeated.

    Raises:
        InputError: If there is no record, or if runs that were made for the committed results of
            the experiment are of several revisions of the code.
    """
    earlier = {} if reused is None else reused.records
    own = [run for run in runs if run.run_id not in earlier]
    read = {run.run_id: RunDirectory(run.run_dir).read_record(run.run_id) for run in own}
    made = {run_id: record for run_id, record in read.items() if record is not None}
    records = {**earlier, **made}
    known = [records[run.run_id] for run in runs if run.run_id in records]
    results = _with_metrics(tabulate(known), reused)
    if output.resolve() == folder.resolve():
        _require_one_revision(results.runs.filter(pl.col("run_id").is_in(list(made))), output)
    if fault := mixed_code(results.runs):
        tell(f"note: these runs are of {fault}")
    selected = {key for claim in experiment.claims for s in claim.selections for key in s}
    varying(results, known, kept=selected).write(output)
    _draw(folder, output, [run.run_dir for run in own], reused)
    if is_changed:
        print("values of changed runs, without verdicts:")
        write_table(_means(experiment, results), None)
    else:
        table_console().print(verdicts(experiment, folder, results, runs[0].scale.value))
    print(f"tables: {output / RUNS}, {output / METRICS}", flush=True)


def _with_metrics(results: Results, reused: Published | None) -> Results:
    """Results with the metrics of published runs, in the order of the runs."""
    if reused is None:
        return results
    metrics = pl.concat([reused.metrics, results.metrics])
    order = results.runs.select("run_id")
    return Results(results.runs, order.join(metrics, on="run_id", maintain_order="left_right"))


def _require_one_revision(runs: pl.DataFrame, output: Path) -> None:
    if fault := mixed_code(runs):
        raise InputError(
            f"these runs are of {fault}, and {output} keeps those of one committed revision; "
            "leave out --output or name another folder"
        )


def verdicts(experiment: Experiment, folder: Path, results: Results, scale: str) -> Table:
    """The claims with published, committed and present values.

    Args:
        experiment: The experiment.
        folder: Its folder, with committed results.
        results: Results of the present runs.
        scale: Scale of the present runs.
    """
    table = Table(title=f"{experiment.title} (scale {scale})", title_justify="left")
    for heading in ("claim", "paper", "committed", "here", "bound", "verdict"):
        table.add_column(heading)
    before = Results.read(folder) if has_results(folder) else None
    for claim in experiment.claims:
        committed = "-" if before is None else _decided(claim, before)[0]
        here, word = _decided(replace(claim, scale=scale), results)
        table.add_row(claim.id, claim.published, committed, here, bound(claim), word)
    return table


def _decided(claim: Claim, results: Results) -> tuple[str, str]:
    """The quantity and the verdict of a claim."""
    if not has_runs(claim, results):
        return "-", "not run"
    try:
        verdict, _ = judged(claim, results)
    except InputError as error:
        return "-", f"not decided: {error}"
    return measured(claim, verdict), f"{verdict.word}: {why_undecided(verdict)}".removesuffix(": ")


def _means(experiment: Experiment, results: Results) -> pl.DataFrame:
    """Means over seeds of the claims' metrics, by all keys in which the runs differ."""
    known = results.texts
    metrics = dict.fromkeys(m for claim in experiment.claims for m in claim.metrics if m in known)
    return summarise(results, ["experiment", *varying_science(results.runs)], list(metrics))


def _draw(folder: Path, output: Path, run_dirs: Sequence[Path], reused: Published | None) -> None:
    """Draw the experiment's figure from the tables in the output folder.

    A figure may need arms that were not run; then none is drawn, and a line reports it.
    """
    program = output / "figure.py"
    if output.resolve() != folder.resolve():
        (output / "figure.svg").unlink(missing_ok=True)  # drawn from other runs
        for name in (program.name, PREDICTIONS):
            if (folder / name).is_file():
                shutil.copy(folder / name, output / name)
    try:
        if (folder / CURVES).is_file():
            _write_curves(output / CURVES, run_dirs, reused)
        runpy.run_path(str(program), run_name="__main__")
    except Exception as error:  # noqa: BLE001 - the tables are written whatever fails here
        tell(f"note: {program} cannot draw these runs: {type(error).__name__}: {reason(error)}")


def _write_curves(path: Path, run_dirs: Sequence[Path], reused: Published | None) -> None:
    """Write the curves of all runs that have one; not all published ones do."""
    parts = [tabulate_curves(run_dirs)] if run_dirs else []
    if reused is not None:
        parts.append(reused.curves)
        if n_lacking := len(reused.records.keys() - set(reused.curves["run_id"])):
            tell(f"note: {path.name} has no curves of {n_lacking} published runs")
    write_table(pl.concat(parts, how="diagonal_relaxed"), path)
