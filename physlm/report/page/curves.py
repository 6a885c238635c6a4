"""Learning curves, with as many points as a plot can show."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from physlm.errors import InputError
from physlm.measurement import metric_text, parse_dims
from physlm.record import RunRecord
from physlm.run_directory import CurvePoint, RunDirectory, curve_points, read_curves

CURVES = "curve.csv"

# Points of all curves, so that a page of a thousand runs stays small and one of a few is complete.
_N_POINTS = 60_000
_FEWEST_POINTS = 12  # of a curve


def committed_points(folder: Path) -> list[tuple[str, CurvePoint]]:
    """The curves beside the results of an experiment, with run ids; empty if it keeps none."""
    path = folder / CURVES
    if not path.is_file():
        return []
    table = pl.read_csv(path, schema_overrides={"run_id": pl.String, "dims": pl.String})
    if "exposures" not in table.columns:  # curves from before exposures were logged
        table = table.with_columns(exposures=pl.lit(None, pl.Float64))
    rows = table.select(
        "run_id", "metric", pl.col("dims").fill_null(""), "step", "tokens", "exposures", "value"
    )
    return [
        (run_id, CurvePoint(metric_text(metric, parse_dims(dims)), *values))
        for run_id, metric, dims, *values in rows.iter_rows()
    ]


def recorded_points(
    records: Iterable[tuple[Path, RunRecord]],
) -> tuple[list[tuple[str, CurvePoint]], list[InputError]]:
    """The training loss and the metrics measured during training, with run ids.

    Args:
        records: Each record with the path of its file.

    Returns:
        The points, and the errors of runs whose curves are corrupt, which have none.
    """
    found, errors = [], []
    for path, record in records:
        metrics = RunDirectory(path.parent).metrics
        try:
            rows = read_curves(metrics) if metrics.exists() else []
        except InputError as error:
            errors.append(error)
            continue
        found += [(record.run_id, point) for point in curve_points(rows)]
    return found, errors


def curves(points: Iterable[tuple[str, CurvePoint]]) -> list[dict[str, Any]]:
    """One curve for each run and metric: triples of tokens, exposures and value, by tokens.

    The more curves there are, the fewer points each of them keeps; the first and last are kept.
    """
    found: dict[tuple[str, str], list[CurvePoint]] = defaultdict(list)
    for run_id, point in points:
        found[run_id, point.metric].append(point)
    most = max(_FEWEST_POINTS, _N_POINTS // max(1, len(found)))
    return [
        {
            "run_id": run_id,
            "metric": metric,
            "points": [
                [p.tokens, _rounded(p.exposures), _rounded(p.value)] for p in _thinned(own, most)
            ],
        }
        for (run_id, metric), own in found.items()
    ]


def _thinned(points: list[CurvePoint], most: int) -> list[CurvePoint]:
    points = sorted(points, key=lambda point: point.tokens)
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(i * last / (most - 1))] for i in range(most)]


def _rounded(value: float | None) -> float | None:
    """Five significant digits, which suffice for a plot."""
    return None if value is None else float(f"{value:.5g}")
