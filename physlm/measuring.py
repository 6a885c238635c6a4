"""Runs the scorers of a trained run one by one, and keeps each result."""

import copy
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from physlm.arrays import digest, keep_arrays, read_arrays
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, Scorers
from physlm.frames import write_frame
from physlm.measurement import Measurement, by_text
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory
from physlm.sources import sha256

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

Subject = tuple["LanguageModel", Corpus]


@dataclass(slots=True)
class _Unkept:
    """What the scorers found beside their metrics.

    Attributes:
        arrays: Arrays of every scorer that has some, those on disk included: they share a file.
        fresh: Measurements that are not on disk yet.
    """

    arrays: dict[str, dict[str, np.ndarray]]
    fresh: list[Measurement] = field(default_factory=list)


def measured(
    scorers: Scorers,
    record: RunRecord,
    subject: Subject,
    directory: RunDirectory,
    *,
    is_anew: bool = False,
) -> RunRecord:
    """The record with the metrics of all scorers; a failed scorer leaves its reason instead.

    A diverged run is not measured.

    Arrays and record are written after each scorer, so nothing is measured twice. When everything
    is measured again, they are written at the end, and the old ones stay if a scorer fails.

    Args:
        scorers: Of the run, by name; those that have measured before are left out.
        record: The record of the trained run.
        subject: The trained model and its corpus.
        directory: The run directory.
        is_anew: Whether all scorers measure again, replacing earlier results.

    Raises:
        InputError: If arrays that were measured before are missing or have changed.
        UnmeasuredError: If a scorer fails while everything is measured again.
    """
    if record.status == "diverged":
        directory.write_record(record)
        return record
    earlier = record.sha256
    if is_anew:
        trained = {name: own for name, own in earlier.items() if name == directory.model.name}
        record = replace(record, metrics=(), scorers={}, arrays={}, sha256=trained)
    unkept = _Unkept(read_arrays(directory.arrays, record.arrays))
    record = replace(record, errors={}).judged(scorers)
    if not is_anew:
        directory.write_record(record)
    for name in record.unmeasured(scorers):
        record = _after(name, scorers[name], record, subject, unkept).judged(scorers)
        if not is_anew:
            record = _kept(record, unkept, directory)
    if is_anew:
        record.raise_unless_finished()
        record = _kept(record, unkept, directory)
        directory.forget(earlier.keys() - record.sha256.keys())
    return record


def curve(scorers: Scorers, model: "LanguageModel", corpus: Corpus) -> dict[str, float]:
    """The metrics that scorers measure during training."""
    # A copy: long strings lengthen a model's tables, which compiled training keeps by address.
    model = copy.deepcopy(model).eval()
    found = [metric for scorer in scorers.values() for metric in scorer.curve(model, corpus)]
    return {metric.text: metric.value for metric in found}


def _kept(record: RunRecord, unkept: _Unkept, directory: RunDirectory) -> RunRecord:
    """The record as it was written, after everything fresh that it vouches for."""
    hashes = {}
    for measurement in unkept.fresh:
        for name, frame in measurement.tables.items():
            path = directory.table(name)
            write_frame(frame, path)
            hashes[path.name] = sha256(path)
        for name, write in measurement.files.items():
            hashes |= directory.keep(name, write)
    if any(measurement.arrays for measurement in unkept.fresh):
        keep_arrays(unkept.arrays, directory.arrays)
    unkept.fresh.clear()
    record = replace(record, sha256={**record.sha256, **hashes})
    directory.write_record(record)
    return record


def _after(
    name: str, scorer: ScorerConfig, record: RunRecord, subject: Subject, unkept: _Unkept
) -> RunRecord:
    """The record after one more scorer.

    Args:
        name: Name of the scorer.
        scorer: The scorer.
        record: The record before it.
        subject: The trained model and its corpus.
        unkept: Gets what this scorer found.
    """
    try:
        found = scorer.measure(*subject)
        metrics = (*record.metrics, *found.metrics)
        by_text(metrics)  # refuses a metric that another scorer has measured
    except Exception as error:  # noqa: BLE001 - the other scorers can still measure
        return replace(record, errors={**record.errors, name: _reason(error)})
    unkept.fresh.append(found)
    digests = {}
    if found.arrays:
        unkept.arrays[name] = dict(found.arrays)
        digests = {name: digest(found.arrays)}
    return replace(
        record,
        metrics=metrics,
        scorers={**record.scorers, name: scorer.version},
        arrays={**record.arrays, **digests},
    )


def _reason(error: Exception) -> str:
    """What went wrong, and where, on one line that a record can keep."""
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{where}"
