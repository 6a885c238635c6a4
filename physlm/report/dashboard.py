"""The dashboard at W&B: panels as values, read from `dashboard.yaml`, and a workspace of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from physlm.errors import InputError, refused_values
from physlm.publication import Publication
from physlm.report.ledger import read_section
from physlm.schema import Schema
from physlm.science import flatten

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

DASHBOARD = Path(__file__).with_suffix(".yaml")
CONFIG = "config."


class PanelKind(str, Enum):
    """Runs as points, as bars of means with standard errors, as lines; or the claims as a table."""

    scatter = "scatter"
    bars = "bars"
    lines = "lines"
    claims = "claims"


@dataclass(kw_only=True, slots=True)
class Panel(Schema):
    """One panel.

    Attributes:
        kind: What is drawn.
        title: Title of the panel.
        x: Key of the horizontal axis, for points and lines.
        y: Metric of the vertical axis, or of the bars.
        colour: Key that colours points.
        group: Key of the groups of runs, one bar each.
        log: Which of ``x``, ``y`` and ``colour`` are on a logarithmic scale.
    """

    kind: PanelKind
    title: str
    x: str = ""
    y: str = ""
    colour: str = ""
    group: str = ""
    log: list[str] = field(default_factory=list)

    def validate(self) -> None:
        """Check that the panel names the keys that its kind draws."""
        needed = {
            PanelKind.scatter: ("x", "y"),
            PanelKind.lines: ("x", "y"),
            PanelKind.bars: ("y",),
        }
        for axis in needed.get(self.kind, ()):
            if not getattr(self, axis):
                raise ValueError(
                    f"panel {self.title!r}: kind={self.kind.value} needs {axis}; name a key"
                )
        if wrong := sorted({*self.log} - {"x", "y", "colour"}):
            raise ValueError(f"panel {self.title!r}: log={wrong}; must be some of x, y and colour")

    @property
    def keys(self) -> list[str]:
        """Every key that the panel names."""
        return [key for key in (self.x, self.y, self.colour, self.group) if key]


class Section(NamedTuple):
    """Panels below one heading."""

    name: str
    panels: list[Panel]


class Dashboard(NamedTuple):
    """A named list of sections."""

    name: str
    sections: list[Section]

    @property
    def panels(self) -> list[Panel]:
        """The panels of all sections."""
        return [panel for section in self.sections for panel in section.panels]

    def without(self, panels: Iterable[Panel]) -> "Dashboard":
        """The dashboard without some panels, and without sections that are empty then."""
        dropped = list(panels)
        kept = [
            section._replace(panels=[panel for panel in section.panels if panel not in dropped])
            for section in self.sections
        ]
        return self._replace(sections=[section for section in kept if section.panels])


def read_dashboard(path: Path = DASHBOARD) -> Dashboard:
    """The dashboard in a file.

    Raises:
        InputError: If a field is unknown, missing or refused.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        with refused_values():
            sections = [
                Section(section["name"], [Panel(**panel) for panel in section["panels"]])
                for section in content["sections"]
            ]
            return Dashboard(content["name"], sections)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: {error}; each panel has a kind, a title and its keys") from error


def values_of(published: Publication) -> dict[str, Any]:
    """The values of a run at W&B by key; those of the configuration begin with ``config.``."""
    return {**flatten(published.config, CONFIG), **published.summary}


def published_keys(publications: Iterable[Publication]) -> set[str]:
    """All keys that runs have at W&B, those of their values and of their curves."""
    found: set[str] = set()
    for published in publications:
        found |= values_of(published).keys()
        for row in published.rows:
            found |= row.keys()
    return found


def lacking(dashboard: Dashboard, keys: set[str]) -> list[tuple[Panel, list[str]]]:
    """The panels that name keys which no run has, with these keys."""
    found = [(panel, [key for key in panel.keys if key not in keys]) for panel in dashboard.panels]
    return [(panel, missing) for panel, missing in found if missing]


def claims_table(ledger: Path) -> str:
    """The headline claims of a ledger as Markdown, without links to files.

    Raises:
        InputError: If the file has no ledger.
    """
    try:
        section = read_section(ledger)
    except InputError as error:
        raise InputError(
            f"{ledger} does not exist or has no claims; name experiments/README.md of the checkout "
            "by --ledger"
        ) from error
    return re.sub(r"\[([^\]]*)\]\((?!https:)[^)]*\)", r"\1", section)


def workspace(dashboard: Dashboard, claims: str, entity: str, project: str) -> "Workspace":
    """The dashboard as a workspace, not saved yet.

    Args:
        dashboard: The panels.
        claims: Markdown for panels of claims.
        entity: Team or user at W&B.
        project: Project at W&B.
    """
    from wandb_workspaces import workspaces

    sections = [
        workspaces.Section(
            name=section.name,
            panels=[_panel(panel, claims) for panel in section.panels],
            is_open=True,
            layout_settings=workspaces.SectionLayoutSettings(columns=2, rows=2),
        )
        for section in dashboard.sections
    ]
    return workspaces.Workspace(
        entity=entity, project=project, name=dashboard.name, sections=sections
    )


def _panel(panel: Panel, claims: str) -> Any:
    from wandb_workspaces.reports.v2 import interface as v2

    is_log = {axis: True if axis in panel.log else None for axis in ("x", "y", "colour")}
    match panel.kind:
        case PanelKind.claims:
            return v2.MarkdownPanel(markdown=f"## {panel.title}\n\n{claims}")
        case PanelKind.scatter:
            return v2.ScatterPlot(
                title=panel.title,
                x=_key(panel.x),
                y=_key(panel.y),
                z=_key(panel.colour),
                log_x=is_log["x"],
                log_y=is_log["y"],
                log_z=is_log["colour"],
            )
        case PanelKind.bars:
            return v2.BarPlot(
                title=panel.title,
                metrics=[panel.y],
                groupby=_key(panel.group),
                groupby_aggfunc="mean",
                groupby_rangefunc="stderr",
            )
        case PanelKind.lines:
            return v2.LinePlot(
                title=panel.title, x=panel.x, y=[panel.y], log_x=is_log["x"], log_y=is_log["y"]
            )


def _key(name: str) -> Any:
    """A key as W&B finds it: in the configuration, or in the summary."""
    from wandb_workspaces.reports.v2 import interface as v2

    if not name:
        return None
    is_config = name.startswith(CONFIG)
    return v2.Config(name.removeprefix(CONFIG)) if is_config else v2.SummaryMetric(name)
