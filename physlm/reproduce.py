"""Reproduce one experiment: missing runs, tables, figure and verdicts.

  python -m physlm.reproduce capacity                        # all its runs, with all its seeds
  python -m physlm.reproduce capacity --dry-run              # its runs, and which are finished
  python -m physlm.reproduce capacity --only 1000x --seeds 0,1
  python -m physlm.reproduce capacity data.n_people=50       # changed: values without verdicts
  python -m physlm.reproduce capacity --seeds 0,1,2,3,4,5 --reuse experiments   # one more seed

Finished runs in --runs-dir are not repeated; the same command resumes where it stopped.
"""

import argparse
import difflib
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from physlm.arguments import Parser
from physlm.config import RunConfig, register
from physlm.config.lineage import lineage
from physlm.config.scale import Scale
from physlm.errors import InputError, InterruptedRunError
from physlm.messages import explain
from physlm.outcome import faults, settled_outcome
from physlm.report.experiment import (
    EXPERIMENT,
    SET_BY_FLAGS,
    Experiment,
    experiment_folders,
    experiments_folder,
    read_experiment,
)
from physlm.run_directory import RunDirectory
from physlm.watching import outlive_readers, tell

if TYPE_CHECKING:
    from physlm.report.published import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The runs of an experiment to reproduce, and the folder for the results.

    Attributes:
        folder: Folder of the experiment.
        experiment: The experiment.
        arms: Names of the chosen arms.
        runs: Their runs, by run id.
        is_changed: Whether overrides change the runs of the experiment.
        output: Folder for tables and figure.
        reused: Published results of runs that are not repeated.
    """

    folder: Path
    experiment: Experiment
    arms: tuple[str, ...]
    runs: dict[str, RunConfig]
    is_changed: bool
    output: Path
    reused: "Published | None"

    @property
    def published(self) -> Collection[str]:
        """Ids of the runs that are not repeated."""
        return () if self.reused is None else self.reused.records

    @property
    def needed(self) -> dict[str, RunConfig]:
        """The other runs, after their ancestors, by run id."""
        return _with_ancestors(self.runs, self.published)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    outlive_readers()
    try:
        chosen = _parser().parse_intermixed_args(arguments)
        register()
        plan = _planned(chosen)
        return show(plan) if chosen.dry_run else reproduce(plan, in_processes=chosen.processes)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)


def show(plan: Plan) -> int:
    """List the runs, and which are finished; the exit status."""
    missing = _missing(plan)
    for run_id, run in {**plan.needed, **plan.runs}.items():
        word = "to be run" if run_id in missing else "finished "
        word = "published" if run_id in plan.published else word
        print(f"{run_id}  {word}  {run.experiment} seed={run.seed}{_arms_of(plan, run_id)}")
    return 0


def reproduce(plan: Plan, *, in_processes: bool = False) -> int:
    """Complete the missing runs and present all results; returns the exit status.

    A failed run reports its reason, and stops no other.

    Args:
        plan: The runs and the output.
        in_processes: Whether to train one run per core at a time, or one after the other here.

    Raises:
        InputError: If an earlier record is damaged, or no run has a record.
        InterruptedRunError: If the process was asked to stop; finished work is kept.
    """
    missing = _missing(plan).values()
    status = _side_by_side(missing) if in_processes else _one_by_one(missing)
    from physlm.report.reproduced import present  # loads what tables and figures need

    present(
        plan.experiment,
        plan.folder,
        list(plan.runs.values()),
        plan.output,
        is_changed=plan.is_changed,
        reused=plan.reused,
    )
    return status


def _missing(plan: Plan) -> dict[str, RunConfig]:
    """The runs that are not finished, by run id; prints their number."""
    needed = plan.needed
    missing = {run_id: run for run_id, run in needed.items() if not _is_finished(run)}
    scale = next(iter(plan.runs.values())).scale.value
    n_published = len(plan.published)
    print(f"{plan.experiment.name}: {plan.experiment.title} ({', '.join(plan.experiment.source)})")
    print(
        f"{len(needed) + n_published} runs at scale {scale}: "
        + (f"{n_published} published, " if n_published else "")
        + f"{len(needed) - len(missing)} finished, {len(missing)} to be run",
        flush=True,
    )
    return missing


def _one_by_one(runs: Iterable[RunConfig]) -> int:
    """Complete runs in this process; returns the worst exit status."""
    waiting, status = list(runs), 0
    for number, run in enumerate(waiting, 1):
        tell(f"run {number} of {len(waiting)}: {run.experiment} seed={run.seed} ({run.run_id})")
        from physlm.pipeline import execute  # loads torch

        try:
            outcome = execute(run, RunDirectory(run.run_dir), waits=True)
            if outcome is not None:
                outcome.record.raise_unless_finished()
        except InterruptedRunError:
            raise
        except Exception as error:  # noqa: BLE001 - the other runs can still be made
            status = max(status, explain(error, f"run {run.run_id}: "))
    return status


def _with_ancestors(
    runs: Mapping[str, RunConfig], published: Collection[str]
) -> dict[str, RunConfig]:
    """The runs that are not published, after their ancestors that are not, by run id."""
    own = (run for run_id, run in runs.items() if run_id not in published)
    every = {one.run_id: one for run in own for one in _to_be_made(run)}
    return {run_id: run for run_id, run in every.items() if run_id not in published}


def _side_by_side(runs: Iterable[RunConfig]) -> int:
    """Complete runs in processes, parents first; returns the worst exit status."""
    generations: dict[int, list[RunConfig]] = {}
    for run in runs:
        generations.setdefault(len(_to_be_made(run)), []).append(run)
    status = 0
    for _, alike in sorted(generations.items()):
        from physlm.processes import in_processes  # loads torch

        outcomes, killed = in_processes(alike)
        errors = {**killed, **faults(outcomes.values())}
        statuses = [explain(error, f"run {run_id}: ") for run_id, error in sorted(errors.items())]
        status = max([status, *statuses])
    return status


def _to_be_made(run: RunConfig) -> list[RunConfig]:
    """A run after its ancestors, except those named by their directory."""
    return lineage(run, with_found=False)


def _is_finished(run: RunConfig) -> bool:
    """Whether nothing is left to do; False for a diverged run, which is reported every time."""
    before = settled_outcome(run, RunDirectory(run.run_dir))
    return before is not None and before.record.status != "diverged"


def _arms_of(plan: Plan, run_id: str) -> str:
    if run_id not in plan.runs:
        return "  (others start from it)"
    if len(plan.experiment.runs) == 1 or plan.is_changed:
        return ""
    run = plan.runs[run_id]
    own = [
        arm
        for arm in plan.arms
        if run_id in plan.experiment.points(seeds=[run.seed], arms=[arm], scale=run.scale.value)
    ]
    return f"  {', '.join(own)}"


def _parser() -> Parser:
    parser = Parser("reproduce", description=__doc__)
    parser.add_argument("experiment", help="its name in experiments/, or the path of its folder")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="changes to every run, as for physlm.run"
    )
    parser.add_argument(
        "--scale",
        choices=[scale.value for scale in Scale],
        help="scale of all runs (default: the experiment's)",
    )
    parser.add_argument(
        "--seeds", metavar="SEED,...", help="seeds of all runs (default: the experiment's)"
    )
    parser.add_argument("--only", metavar="ARM,...", help="some arms of the experiment, not all")
    parser.add_argument(
        "--runs-dir",
        default="runs",
        metavar="FOLDER",
        help="folder of run directories (default: runs)",
    )
    parser.add_argument(
        "--reuse",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="use published results (experiments/NAME, or experiments for all) and do not repeat "
        "their runs; may be given several times",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder for runs.csv, metrics.csv and the figure (default: reproduced/NAME)",
    )
    parser.add_argument("--processes", action="store_true", help="one run for each core at a time")
    parser.add_argument(
        "--dry-run", action="store_true", help="list the runs, and which are finished; run nothing"
    )
    return parser


def _planned(chosen: argparse.Namespace) -> Plan:
    """The plan that the command line describes.

    Raises:
        InputError: If an experiment, arm, seed or override is not known.
    """
    folder = _folder(chosen.experiment)
    experiment = read_experiment(folder)
    arms, seeds = _arms(chosen.only, experiment), _seeds(chosen.seeds, experiment)
    for word in chosen.overrides:
        if flag := SET_BY_FLAGS.get(f"{word.partition('=')[0]}="):
            raise InputError(f"{word}: use {flag} instead")
    scale, words = chosen.scale or experiment.scale, chosen.overrides
    own = experiment.points(seeds=seeds, arms=arms, scale=scale)
    points = experiment.points(seeds=seeds, arms=arms, scale=scale, words=words) if words else own
    output = chosen.output or Path("reproduced") / experiment.name
    runs = {i: replace(point, runs_dir=chosen.runs_dir) for i, point in points.items()}
    _require_all_kept(output, chosen.reuse, runs)
    plan = Plan(
        folder=folder,
        experiment=experiment,
        arms=arms,
        is_changed=points.keys() != own.keys(),
        runs=runs,
        output=output,
        reused=_reused(chosen.reuse, runs, folder),
    )
    is_whole = set(arms) == set(experiment.runs) and set(seeds) >= set(experiment.seeds)
    is_whole &= scale == experiment.scale
    if output.resolve() == folder.resolve() and (plan.is_changed or not is_whole):
        raise InputError(
            f"--output {output} holds the tables of the whole experiment; leave out --only, "
            "--seeds, --scale and overrides, or name another folder"
        )
    return plan


def _reused(
    folders: Sequence[Path], runs: Mapping[str, RunConfig], own_folder: Path
) -> "Published | None":
    """Published results of runs that are not finished here, without loading Polars for none.

    A run from which others have to start is left out: it is made again, since tables have no
    weights.

    Raises:
        InputError: If a folder has no tables, or they are damaged.
    """
    if not folders:
        return None
    from physlm.report.published import published

    missing = {run_id: run for run_id, run in runs.items() if not _is_finished(run)}
    found = published(folders, missing, own_folder)
    if found is None:
        return None
    left = {run_id: run for run_id, run in missing.items() if run_id not in found.records}
    return found.without(_with_ancestors(left, ()))


def _require_all_kept(output: Path, folders: Sequence[Path], runs: Mapping[str, RunConfig]) -> None:
    """Refuse to write over published results to reuse, if runs would be lost.

    Raises:
        InputError: Naming the output.
    """
    own = output.resolve()
    if not any(own.is_relative_to(folder.resolve()) for folder in folders):
        return
    from physlm.report.published import published_ids

    if n_lost := len(published_ids(output) - runs.keys()):
        raise InputError(
            f"--output {output} would lose {n_lost} published runs; name another folder, or leave "
            "out --only, --seeds, --scale and overrides"
        )


def _folder(name: str) -> Path:
    """A folder, or the folder of a named experiment in the checkout."""
    for folder in (experiments_folder() / name, Path(name)):
        if (folder / EXPERIMENT).is_file():
            return folder
    known = [folder.name for folder in experiment_folders()]
    near = difflib.get_close_matches(name, known, n=3) or known
    raise InputError(f"{name}: no such experiment; {' or '.join(near) or 'give its folder'}")


def _arms(names: str | None, experiment: Experiment) -> tuple[str, ...]:
    chosen = tuple(experiment.runs) if names is None else tuple(names.split(","))
    if unknown := [name for name in chosen if name not in experiment.runs]:
        raise InputError(f"--only {unknown[0]}: no such arm; one of {', '.join(experiment.runs)}")
    return chosen


def _seeds(text: str | None, experiment: Experiment) -> tuple[int, ...]:
    if text is None:
        return experiment.seeds
    if not all(part.isdecimal() for part in text.split(",")):
        raise InputError(f"--seeds {text}; must be integers of at least 0, such as --seeds 0,1")
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
