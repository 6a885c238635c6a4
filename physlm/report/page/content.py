"""The content of a page in plain values: tables of runs with their curves, and decided claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from physlm.errors import InputError
from physlm.record import RunRecord
from physlm.report.experiment import (
    EXPERIMENT,
    Experiment,
    experiment_folders,
    experiments_folder,
    read_experiment,
)
from physlm.report.page.curves import committed_points, curves, recorded_points
from physlm.report.page.run_table import run_table
from physlm.report.recorded_claims import decided_by_records
from physlm.report.results import METRICS, Results, has_results
from physlm.report.tables import require_records, tabulate


class Content(NamedTuple):
    """A part of a page.

    Attributes:
        tables: Tables of runs, each with its curves.
        claims: Groups of claims, each with its name, its papers, and the number of claims that
            lack runs.
        unreadable: Why records or experiments were left out.
    """

    tables: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    unreadable: list[InputError]


def content_of_runs(folders: Sequence[Path], page: Path) -> Content:
    """The runs below some folders, and the claims that they decide.

    Args:
        folders: Folders with run directories.
        page: The file whose links lead to the experiments.

    Raises:
        InputError: If a folder does not exist, or there is no record that can be read.
    """
    located, unreadable = require_records(folders)
    # The slash distinguishes it from the name of an experiment.
    name = ", ".join(f"{folder.as_posix().rstrip('/')}/" for folder in folders)
    records = list(located.values())
    published = [metric for record in records for metric in record.published]
    table = run_table(name, "", tabulate(records), first=published).as_plain()
    points, damaged = recorded_points(located.items())
    table["curves"] = curves(points)
    claims, faulty = _claims_of_runs(name, records, page)
    return Content([table], claims, [*unreadable, *damaged, *faulty])


def _claims_of_runs(
    name: str, records: Sequence[RunRecord], page: Path
) -> tuple[list[dict[str, Any]], list[InputError]]:
    """The claims that some runs decide, and the errors of experiments that cannot be read."""
    experiments: list[Experiment] = []
    faulty: list[InputError] = []
    for folder in experiment_folders():
        try:
            experiments.append(read_experiment(folder))
        except InputError as error:
            faulty.append(error)
    if not experiments:  # an installed package comes without them
        return [], faulty
    decided = decided_by_records(experiments, records)
    n_left_out = sum(len(e.claims) for e in experiments) - sum(len(d.verdicts) for d in decided)
    papers: list[Any] = []
    if decided:
        from physlm.report.page import claim_table  # loads scipy

        papers = claim_table.papers(decided, experiments_folder(), page, runs=name)
    return [{"name": f"Runs in {name}", "papers": papers, "n_left_out": n_left_out}], faulty


def content_of_experiments(folder: Path, page: Path) -> Content:
    """The committed results of the experiments in a folder, with all claims and figures.

    Args:
        folder: The folder of the experiments.
        page: The file whose links lead to them.

    Raises:
        InputError: If the folder holds no results, or a claim cannot be decided.
    """
    from physlm.report.decisions import decided_experiments  # loads scipy
    from physlm.report.page.claim_table import metrics_of, papers

    # Tables without experiment.yaml are not passed over: reading them names the missing file.
    own = sorted(
        {path.parent for name in (EXPERIMENT, METRICS) for path in folder.glob(f"*/{name}")}
    )
    if not any(map(has_results, own)):
        raise InputError(
            f"--experiments {folder}: no */{METRICS} in it; name the folder of the experiments "
            "there, and folders of runs before --experiments"
        )
    decided = decided_experiments(own)
    tables = []
    for experiment in (one.experiment for one in decided):
        if not has_results(folder / experiment.name):
            continue
        results = Results.read(folder / experiment.name)
        first = metrics_of(experiment.claims)
        table = run_table(experiment.name, experiment.title, results, first=first).as_plain()
        table["curves"] = curves(committed_points(folder / experiment.name))
        tables.append(table)
    group = {"name": "Committed results", "papers": papers(decided, folder, page), "n_left_out": 0}
    return Content(tables, [group], [])
