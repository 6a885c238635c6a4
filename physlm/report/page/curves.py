"""What was measured during training, thinned to what a plot can show."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from physlm.measurement import metric_text, parse_dims
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory, read_curves

CURVES = "curve.csv"
LOSS = "train/loss_nats"

# What scorers measured during training, and when.
_MEASURED, _TOKENS = "curve/", "curve/tokens"

# A page of a thousand runs stays small, and one of a few runs shows all that was measured.
_N_POINTS_IN_ALL = 60_000
_LEAST_POINTS = 12


class Point(NamedTuple):
    """One measurement during training."""

    run_id: str
    metric: str
    tokens: float
    value: float


def committed_points(folder: Path) -> list[Point]:
    """The curves beside the results of an experiment; none where it keeps none."""
    path = folder / CURVES
    if not path.is_file():
        return []
    table = pl.read_csv(path, schema_overrides={"run_id": pl.String, "dims": pl.String})
    rows = table.select("run_id", "metric", pl.col("dims").fill_null(""), "tokens", "value")
    return [
        Point(run_id, metric_text(metric, parse_dims(dims)), tokens, value)
        for run_id, metric, dims, tokens, value in rows.iter_rows()
    ]


def recorded_points(records: Iterable[tuple[Path, RunRecord]]) -> Iterator[Point]:
    """The training loss of each run, and what scorers measured while it trained.

    Args:
        records: Each with the path that it was read from.

    Raises:
        InputError: If a line of curves is corrupt.
    """
    for path, record in records:
        kept = RunDirectory(path.parent).metrics
        for row in read_curves(kept) if kept.exists() else ():
            if LOSS in row:
                yield Point(record.run_id, LOSS, row["train/tokens"], row[LOSS])
            for name, value in row.items():
                if name.startswith(_MEASURED) and name != _TOKENS:
                    yield Point(record.run_id, name.removeprefix(_MEASURED), row[_TOKENS], value)


def curves(points: Iterable[Point]) -> list[dict[str, Any]]:
    """A curve for each run and metric; of many, each has fewer points, its ends among them."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for point in points:
        found[point.run_id, point.metric].append((point.tokens, point.value))
    n_points = max(_LEAST_POINTS, _N_POINTS_IN_ALL // max(1, len(found)))
    return [
        {
            "run_id": run_id,
            "metric": metric,
            "points": [[x, float(f"{y:.5g}")] for x, y in _thinned(own, n_points)],
        }
        for (run_id, metric), own in found.items()
    ]


def _thinned(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    points.sort()
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(i * last / (most - 1))] for i in range(most)]
