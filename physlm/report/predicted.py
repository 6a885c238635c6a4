"""Predictions of an experiment's runs, written before the runs are made."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from physlm.atomic import replacing
from physlm.errors import InputError

PREDICTIONS = "predictions.csv"


class Prediction(NamedTuple):
    """What was predicted for a metric of a run.

    Attributes:
        value: The predicted value, above 0.
        low: Lower end of its 90% interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def error(self, measured: float) -> float:
        """Distance of a measured value from the predicted one, as a fraction of the latter."""
        return abs(measured / self.value - 1)

    def factor(self, measured: float) -> float:
        """The factor by which a value is off, at least 1; infinite if nothing was stored."""
        if measured <= 0:
            return math.inf
        return max(measured / self.value, self.value / measured)

    def is_within(self, measured: float) -> bool:
        """Whether a measured value lies in the interval."""
        return self.low <= measured <= self.high


def read_predictions(folder: Path) -> dict[str, Prediction]:
    """The predictions in an experiment's folder by run id; none if it has no such file.

    Raises:
        InputError: If the file does not hold numbers in the expected columns.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                row["run_id"]: Prediction(*(float(row[name]) for name in Prediction._fields))
                for row in csv.DictReader(file)
            }
    except (KeyError, TypeError, ValueError) as error:
        columns = ", ".join(("run_id", *Prediction._fields))
        raise InputError(f"{path} needs columns {columns} with numbers: {error}") from error


def write_predictions(predictions: Mapping[str, Prediction], folder: Path) -> Path:
    """Write predictions into an experiment's folder; returns the file."""
    path = folder / PREDICTIONS
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run_id", *Prediction._fields))
        writer.writerows(
            (run_id, *(f"{value:.6g}" for value in one)) for run_id, one in predictions.items()
        )
    return path
