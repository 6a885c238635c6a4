"""The dashboard, saved at W&B as a workspace: `python -m physlm.dashboard --entity TEAM`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from physlm.errors import InputError
from physlm.messages import explain
from physlm.publication import Publication, publication
from physlm.record import RunRecord
from physlm.report.command_line import parser_of_runs
from physlm.report.dashboard import (
    DASHBOARD,
    Dashboard,
    PanelKind,
    claims_table,
    lacking,
    published_keys,
    read_dashboard,
    workspace,
)
from physlm.report.experiment import experiments_folder
from physlm.report.tables import require_records
from physlm.run_directory import RunDirectory
from physlm.train.wandb_run import require_online
from physlm.watching import reason

_EPILOG = """\
examples:
  python -m physlm.dashboard runs --entity lab             a new view of the project
  python -m physlm.dashboard runs --entity lab --partial   without panels that no run fills
  python -m physlm.dashboard runs --preview dashboard.png  only draw the panels, without login

The panels are in physlm/report/dashboard.yaml."""


def checked(
    dashboard: Dashboard, published: Sequence[Publication], *, is_partial: bool
) -> Dashboard:
    """The dashboard, with only panels whose keys some run has.

    Args:
        dashboard: The dashboard.
        published: The runs.
        is_partial: Whether panels with keys that no run has are left out, with a note.

    Raises:
        InputError: If no run has a key that a panel names.
    """
    missing = lacking(dashboard, published_keys(published))
    for panel, keys in missing:
        fault = f"panel {panel.title!r}: none of {len(published)} runs has {' or '.join(keys)}"
        if not is_partial:
            raise InputError(
                f"{DASHBOARD.name}: {fault}; name runs that have it, or leave the panel out by "
                "--partial"
            )
        print(f"note: left out {fault}", file=sys.stderr)
    return dashboard.without(panel for panel, _ in missing)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = parser_of_runs(
        "dashboard",
        __doc__,
        epilog=_EPILOG,
        about="runs of the project, in which the keys of all panels must occur (default: runs)",
    )
    parser.add_argument("--entity", help="team or user at W&B (default: your own)")
    parser.add_argument("--project", default="physlm", help="project at W&B (default: physlm)")
    parser.add_argument("--view", metavar="URL", help="replace this saved view")
    parser.add_argument("--partial", action="store_true", help="leave out panels that no run fills")
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="only draw the panels into this .png or .svg, which needs no login",
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        default=experiments_folder() / "README.md",
        help="file with the claims (default: that of the checkout)",
    )
    try:
        chosen = parser.parse_args(arguments)
        located = _all_records(chosen.folders)
        published = [publication(r, RunDirectory(path.parent)) for path, r in located.items()]
        dashboard = checked(read_dashboard(), published, is_partial=chosen.partial)
        if chosen.preview is not None:
            return _preview(dashboard, published, chosen.preview)
        claims = ""
        if any(panel.kind is PanelKind.claims for panel in dashboard.panels):
            claims = claims_table(chosen.ledger)
        print(f"dashboard: {_saved(dashboard, claims, chosen)}")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    return 0


def _all_records(folders: Sequence[Path]) -> dict[Path, RunRecord]:
    """The records of all runs, whose keys are needed.

    Raises:
        InputError: If one cannot be read, or there are none.
    """
    located, unreadable = require_records(folders)
    if unreadable:
        raise unreadable[0]
    return located


def _preview(dashboard: Dashboard, published: Sequence[Publication], path: Path) -> int:
    if path.suffix not in {".png", ".svg"}:
        raise InputError(f"--preview {path}; name a file that ends in .png or .svg")
    from physlm.analysis.figures import save_figure
    from physlm.report.figures.dashboard import draw_dashboard

    save_figure(draw_dashboard(dashboard, published), path)
    print(f"preview: {path}")
    return 0


def _saved(dashboard: Dashboard, claims: str, chosen: argparse.Namespace) -> str:
    """Save the dashboard; its address."""
    require_online("or use --preview")
    import wandb

    try:
        from wandb_workspaces import workspaces

        entity = chosen.entity or wandb.Api().default_entity or ""
        made = workspace(dashboard, claims, entity, chosen.project)
        if chosen.view is not None:
            earlier = workspaces.Workspace.from_url(chosen.view)
            earlier.sections, earlier.name = made.sections, made.name
            made = earlier
        made.save()  # type: ignore[no-untyped-call]
        return str(made.url)
    except ImportError as error:
        raise InputError(
            f"the dashboard needs wandb-workspaces ({error}); pip install 'physlm[dashboard]'"
        ) from error
    except Exception as error:
        raise InputError(
            f"W&B did not accept the dashboard: {reason(error)}; check the server, the key and "
            "--entity"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
