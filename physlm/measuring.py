"""Runs the scorers of a trained run one by one, and keeps each result."""

import copy
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from physlm.arrays import digest, keep_arrays, read_arrays
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, Scorers
from physlm.measurement import by_text
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

Subject = tuple["LanguageModel", Corpus]
_Arrays = dict[str, dict[str, np.ndarray]]  # of every scorer that has some


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
    if is_anew:
        record = replace(record, metrics=(), scorers={}, arrays={})
    arrays = read_arrays(directory.arrays, record.arrays)
    record = replace(record, errors={}).judged(scorers)
    if not is_anew:
        directory.write_record(record)
    for name in record.unmeasured(scorers):
        record = _after(name, scorers[name], record, subject, arrays).judged(scorers)
        if not is_anew:
            _keep(record, arrays if name in arrays else {}, directory)
    if is_anew:
        record.raise_unless_finished()
        _keep(record, arrays, directory)
    return record


def curve(scorers: Scorers, model: "LanguageModel", corpus: Corpus) -> dict[str, float]:
    """The metrics that scorers measure during training."""
    # A copy: long strings lengthen a model's tables, which compiled training keeps by address.
    model = copy.deepcopy(model).eval()
    found = [metric for scorer in scorers.values() for metric in scorer.curve(model, corpus)]
    return {metric.text: metric.value for metric in found}


def _keep(record: RunRecord, arrays: _Arrays, directory: RunDirectory) -> None:
    """Write the record, after the arrays if any are new."""
    if arrays:
        keep_arrays(arrays, directory.arrays)
    directory.write_record(record)


def _after(
    name: str, scorer: ScorerConfig, record: RunRecord, subject: Subject, arrays: _Arrays
) -> RunRecord:
    """The record after one more scorer.

    Args:
        name: Name of the scorer.
        scorer: The scorer.
        record: The record before it.
        subject: The trained model and its corpus.
        arrays: Of the other scorers; those of this one are added.
    """
    try:
        found = scorer.measure(*subject)
        metrics = (*record.metrics, *found.metrics)
        by_text(metrics)  # refuses a metric that another scorer has measured
    except Exception as error:  # noqa: BLE001 - the other scorers can still measure
        return replace(record, errors={**record.errors, name: _reason(error)})
    digests = {}
    if found.arrays:
        arrays[name] = dict(found.arrays)
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
