"""Run directories with records and curves, written without training."""

import json

from physlm.measurement import Metric
from physlm.run_directory import RunDirectory
from tests.test_record import make_record


def write_run(folder, seed, width, *, bits, experiment="sweep", n_points=0, **changes):
    """Write a run with its record and a curve of so many points."""
    metric = Metric(
        name="capacity/bits_per_parameter", value=bits, unit="", n=1, dims={"split": "train"}
    )
    record = make_record(
        run_id=f"{seed:08x}{width:08x}",
        experiment=experiment,
        config={"seed": seed, "data": {"n_people": 1000}, "model": {"d_model": width}},
        parameters={"total": 12 * width * width},
        metrics=(metric, *changes.pop("metrics", ())),
        **changes,
    )
    directory = RunDirectory(folder / experiment / record.run_id)
    directory.path.mkdir(parents=True)
    directory.write_record(record)
    rows = [_curve_row(step, n_points, bits) for step in range(n_points)]
    directory.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return record


def _curve_row(step, n_points, bits):
    """A row of training loss, or every fifth time of a metric measured during training."""
    tokens = 1000.0 * (step + 1)
    if step % 5 == 4:
        value = bits * (step + 1) / n_points
        return {
            "step": step,
            "curve/tokens": tokens,
            "curve/exposures": step + 1.0,
            "curve/capacity/bits_per_parameter{split=train}": value,
        }
    return {
        "step": step,
        "train/tokens": tokens,
        "train/exposures": step + 1.0,
        "train/loss_nats": 3.0 / (step + 1),
    }
