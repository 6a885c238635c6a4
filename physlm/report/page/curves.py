"""What was measured during training, thinned to what a plot can show."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from physlm.measurement import metric_text, parse_dims
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory, curve_points, read_curves

CURVES = "curve.csv"

# A page of a thousand runs stays small, and one of a few runs shows all that was measured.
_N_POINTS_IN_ALL = 60_000
_LEAST_POINTS = 12


class Point(NamedTuple):
    """One value of a run's learning curve; exposures are None where they were not logged."""

    run_id: str
    metric: str
    tokens: float
    exposures: float | None
    value: float


def committed_points(folder: Path) -> list[Point]:
    """The curves beside the results of an experiment; none where it keeps none."""
    path = folder / CURVES
    if not path.is_file():
        return []
    table = pl.read_csv(path, schema_overrides={"run_id": pl.String, "dims": pl.String})
    if "exposures" not in table.columns:  # curves of before exposures were logged with them
        table = table.with_columns(exposures=pl.lit(None, pl.Float64))
    rows = table.select(
        "run_id", "metric", pl.col("dims").fill_null(""), "tokens", "exposures", "value"
    )
    return [
        Point(run_id, metric_text(metric, parse_dims(dims)), tokens, exposures, value)
        for run_id, metric, dims, tokens, exposures, value in rows.iter_rows()
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
        for point in curve_points(read_curves(kept) if kept.exists() else ()):
            yield Point(record.run_id, point.metric, point.tokens, point.exposures, point.value)


def curves(points: Iterable[Point]) -> list[dict[str, Any]]:
    """A curve for each run and metric: triples of tokens, exposures and value, in order of tokens.

    Of many curves, each has fewer points, its ends among them.
    """
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        found[point.run_id, point.metric].append(point)
    n_points = max(_LEAST_POINTS, _N_POINTS_IN_ALL // max(1, len(found)))
    return [
        {
            "run_id": run_id,
            "metric": metric,
            "points": [
                [p.tokens, _short(p.exposures), _short(p.value)] for p in _thinned(own, n_points)
            ],
        }
        for (run_id, metric), own in found.items()
    ]


def _thinned(points: list[Point], most: int) -> list[Point]:
    points = sorted(points, key=lambda point: point.tokens)
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(i * last / (most - 1))] for i in range(most)]


def _short(value: float | None) -> float | None:
    """Enough digits for a plot."""
    return None if value is None else float(f"{value:.5g}")
