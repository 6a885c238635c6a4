"""What is published about a run: labels, configuration, curves, results and files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from physlm.measurement import dims_text
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory, read_curves
from physlm.science import science_of

METRIC_COLUMNS = ("metric", "dims", "value", "stderr", "n", "unit")

# Counts and costs of a run that are numbers to compare, and not configuration.
_FACTS = (
    "status",
    "steps",
    "tokens",
    "exposures",
    "wall_seconds",
    "tokens_per_second",
    "data_wait_fraction",
    "stopped_at_step",
)


class Labels(NamedTuple):
    """How a tracker finds and groups a run.

    Attributes:
        run_id: Of the run.
        name: Experiment and the beginning of the run id.
        group: The same for runs that differ in their seeds alone.
        job_type: Name of the experiment.
        tags: Part of the paper, if known, and scale.
    """

    run_id: str
    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A finished or diverged run, as it is published.

    Attributes:
        labels: How it is found.
        config: The configuration, nested; parameter counts, the corpus with its entropy, software
            with the git revision, device, and the unit of each metric.
        rows: The learning curves, one mapping per logged step.
        summary: Final metrics by their texts, their standard errors below ``stderr/``, their counts
            below ``n/``, and what the run took.
        metrics: The metrics as rows of `METRIC_COLUMNS`.
        figures: Image files, by name.
        weights: The file of the trained weights, if there is one.
        files: The record, and the files that it vouches for.
        is_finished: False if the run diverged.
    """

    labels: Labels
    config: dict[str, Any]
    rows: list[dict[str, float]]
    summary: dict[str, Any]
    metrics: list[list[Any]]
    figures: dict[str, Path]
    weights: Path | None
    files: list[Path]
    is_finished: bool


def labels_of(run_id: str, config: Mapping[str, Any]) -> Labels:
    """The labels of a run.

    Args:
        run_id: Of the run.
        config: Its configuration in plain values, as in records.
    """
    experiment = config["experiment"]
    values = json.dumps(science_of(config), sort_keys=True)  # without the seed
    group = f"{experiment}-{hashlib.sha256(values.encode()).hexdigest()[:8]}"
    tags = (config.get("paper", ""), config["scale"])
    return Labels(
        run_id, f"{experiment}-{run_id[:6]}", group, experiment, tuple(t for t in tags if t)
    )


def publication(record: RunRecord, directory: RunDirectory) -> Publication:
    """Everything that is published about a run, from its files alone.

    Args:
        record: Its record.
        directory: Where its other files are.

    Raises:
        InputError: If a line of its curves is corrupt.
    """
    tables = sorted(directory.path.glob("*.parquet"))
    kept = (directory.record, directory.config, directory.metrics, directory.arrays, *tables)
    return Publication(
        labels=labels_of(record.run_id, record.config),
        config=_config(record),
        rows=curves_of(directory),
        summary=_summary(record),
        metrics=[
            [m.name, dims_text(m.dims), m.value, m.stderr, m.n, m.unit] for m in record.metrics
        ],
        figures={path.stem: path for path in sorted(directory.path.glob("*.png"))},
        weights=directory.model if directory.model.is_file() else None,
        files=[path for path in kept if path.is_file()],
        is_finished=record.status == "finished",
    )


def curves_of(directory: RunDirectory) -> list[dict[str, float]]:
    """The rows of a run's learning curves, without those of final metrics.

    Raises:
        InputError: If a line is corrupt.
    """
    rows = read_curves(directory.metrics) if directory.metrics.exists() else []
    return [row for row in rows if is_of_a_curve(row)]


def is_of_a_curve(row: Mapping[str, float]) -> bool:
    """Whether a row was logged in training, rather than at its end."""
    return "train/tokens" in row or "curve/tokens" in row


def _config(record: RunRecord) -> dict[str, Any]:
    return {
        **record.config,
        "parameters": record.parameters,
        "corpus": record.corpus,
        "software": record.software,
        "device": record.device,
        "changed": record.changed,
        "units": {metric.text: metric.unit for metric in record.metrics},
    }


def _summary(record: RunRecord) -> dict[str, Any]:
    facts = {name: getattr(record, name) for name in _FACTS}
    found = {**facts, **{metric.text: metric.value for metric in record.metrics}}
    for metric in record.metrics:
        found |= {f"stderr/{metric.text}": metric.stderr, f"n/{metric.text}": metric.n}
    return {name: value for name, value in found.items() if value is not None}
