"""Send finished and diverged runs to W&B, from their files: `python -m physlm.publish runs`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from physlm.errors import InputError
from physlm.messages import explain
from physlm.publication import Publication, publication
from physlm.record import RunRecord
from physlm.report.command_line import parser_of_runs
from physlm.report.tables import require_records
from physlm.run_directory import RunDirectory
from physlm.train import wandb_run
from physlm.watching import reason

_EPILOG = """\
examples:
  python -m physlm.publish                      every run below runs/
  python -m physlm.publish runs/4f00 runs/5a1e  some of them
  python -m physlm.publish runs --offline       into W&B's folder, for wandb sync

A run that was published before is updated. Diverged runs are sent, too, and marked as failed."""


def publish(
    published: Publication, project: str, entity: str | None, *, keeps_weights: bool
) -> str:
    """Send a run; returns its address at W&B, or the folder that ``wandb sync`` sends.

    Args:
        published: The run.
        project: Project at W&B.
        entity: Team at W&B; None is the user's default.
        keeps_weights: Whether the trained weights are uploaded.
    """
    try:
        run = wandb_run.opened(
            published.labels, published.config, project, entity, may_be_offline=False
        )
        wandb_run.complete(run, published, keeps_weights=keeps_weights)
        where = wandb_run.address(run)
        wandb_run.close(run, is_finished=published.is_finished)
    except Exception as error:
        raise InputError(
            f"W&B did not accept {published.labels.name}: {reason(error)}; check the server, the "
            "key and --entity, and give the same command again, or use --offline"
        ) from error
    return where


def publish_all(located: Mapping[Path, RunRecord], chosen: argparse.Namespace) -> list[InputError]:
    """Send runs and print where each is; returns the errors of those with damaged files.

    Args:
        located: Records by path.
        chosen: The command line.

    Raises:
        InputError: If W&B does not accept a run.
    """
    faults = []
    for i, (path, record) in enumerate(located.items(), start=1):
        try:
            found = publication(record, RunDirectory(path.parent))
        except InputError as error:
            faults.append(error)
            continue
        where = publish(found, chosen.project, chosen.entity, keeps_weights=not chosen.no_weights)
        print(f"{i} of {len(located)}: {found.labels.name} {where}", flush=True)
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = parser_of_runs("publish", __doc__, epilog=_EPILOG)
    parser.add_argument("--project", default="physlm", help="project at W&B (default: physlm)")
    parser.add_argument("--entity", help="team at W&B (default: your own)")
    parser.add_argument("--offline", action="store_true", help="only write files for wandb sync")
    parser.add_argument("--no-weights", action="store_true", help="do not upload trained weights")
    try:
        chosen = parser.parse_args(arguments)
        if chosen.offline:
            os.environ["WANDB_MODE"] = "offline"
        located, unreadable = require_records(chosen.folders)
        if not chosen.offline:
            wandb_run.require_online("or use --offline")
        unreadable += publish_all(located, chosen)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    for fault in unreadable:
        print(f"error: not published: {fault}", file=sys.stderr)
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
