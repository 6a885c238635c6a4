"""What a trained run is measured by, scorer by scorer, and the figures that show it."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from physlm.arrays import digest, keep_arrays, read_arrays
from physlm.config import RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.measurement import Measurement
from physlm.record import RunDirectory, RunRecord, read_curves
from physlm.watching import harmless

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

Subject = tuple["LanguageModel", Corpus]

_Arrays = dict[str, dict[str, np.ndarray]]  # of every scorer that has some


def measured(
    config: RunConfig,
    record: RunRecord,
    subject: Subject,
    names: Sequence[str],
    directory: RunDirectory,
) -> RunRecord:
    """The record with what these scorers measure; one that fails leaves its reason instead.

    Arrays and record are written after each of them, so that nothing is measured twice.

    Args:
        config: Of the run.
        record: With what was measured before.
        subject: The trained model and its corpus.
        names: Of the scorers.
        directory: Where the record is kept, and the arrays beside it.

    Raises:
        InputError: If arrays that were measured before are missing or have changed.
    """
    arrays = read_arrays(directory.arrays, record.arrays)
    record = _judged(config, replace(record, errors={}))
    directory.write_record(record)
    for name, found in _each(config, record, subject, names, arrays):
        record = found
        if name in arrays:
            keep_arrays(arrays, directory.arrays)
        directory.write_record(record)
    return record


def measured_anew(
    config: RunConfig, record: RunRecord, subject: Subject, directory: RunDirectory
) -> RunRecord:
    """The record with what all scorers measure now; the old one stays if one of them fails.

    Args:
        config: Of the run.
        record: What is known of the trained run.
        subject: The trained model and its corpus.
        directory: Where the record is kept, and the arrays beside it.

    Raises:
        UnmeasuredError: If a scorer fails.
    """
    arrays: _Arrays = {}
    record = _judged(config, replace(record, metrics=(), scorers={}, arrays={}, errors={}))
    for _, found in _each(config, record, subject, list(config.eval), arrays):
        record = found
    record.raise_unless_finished()
    if arrays:
        keep_arrays(arrays, directory.arrays)
    directory.write_record(record)
    return record


def _each(
    config: RunConfig, record: RunRecord, subject: Subject, names: Sequence[str], arrays: _Arrays
) -> Iterator[tuple[str, RunRecord]]:
    """The record after each scorer; the arrays of those that have some are added to the others."""
    for name in names:
        try:
            found = config.eval[name].measure(*subject)
        except Exception as error:  # noqa: BLE001 - the other scorers have something to say, too
            record = replace(record, errors={**record.errors, name: _reason(error)})
        else:
            if found.arrays:
                arrays[name] = dict(found.arrays)
            record = _with_measurement(record, name, config.eval[name].version, found)
        record = _judged(config, record)
        yield name, record


def _with_measurement(record: RunRecord, name: str, version: int, found: Measurement) -> RunRecord:
    digests = {name: digest(found.arrays)} if found.arrays else {}
    return replace(
        record,
        metrics=(*record.metrics, *found.metrics),
        scorers={**record.scorers, name: version},
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


def _judged(config: RunConfig, record: RunRecord) -> RunRecord:
    return replace(record, status="trained" if unmeasured(config, record) else "finished")


def unmeasured(config: RunConfig, record: RunRecord) -> list[str]:
    """The scorers that have not measured yet."""
    return [name for name in config.eval if name not in record.scorers]


def outdated(config: RunConfig, record: RunRecord) -> dict[str, str]:
    """The scorers that measure otherwise since they measured this run, and their versions."""
    done = record.scorers
    return {
        name: f"eval.{name} was version {done[name]}, now {scorer.version}"
        for name, scorer in config.eval.items()
        if done.get(name, scorer.version) != scorer.version
    }


def draw_missing(config: RunConfig, record: RunRecord, directory: RunDirectory) -> None:
    """Draw the figures that are not there; none of them decides what becomes of the run.

    Args:
        config: Of the run.
        record: What it measured.
        directory: Where its arrays and figures are.
    """
    missing = undrawn(config, record, directory)
    if not missing:
        return
    from physlm.analysis.figures import draw_learning_curve, draw_run, save_figure

    for name, draw in {"figure": draw_run, "learning_curve": draw_learning_curve}.items():
        if name in missing:
            path = directory.figure(name)
            with harmless(f"drawing {path}"):
                draw(record, read_curves(directory.metrics), path)
    for name, scorer in config.eval.items():
        own = [figure for figure in scorer.figure_names if figure in missing]
        if own:
            with harmless(f"drawing {', '.join(own)} in {directory.path}"):
                found = measurement_of(record, directory, name)
                for figure_name, figure in scorer.figures(found).items():
                    save_figure(figure, directory.figure(figure_name))


def measurement_of(record: RunRecord, directory: RunDirectory, name: str) -> Measurement:
    """What a run has measured: its metrics, and the arrays of one scorer, as they were kept.

    Raises:
        InputError: If the arrays are missing or have changed.
    """
    digests = {scorer: own for scorer, own in record.arrays.items() if scorer == name}
    return Measurement(record.metrics, read_arrays(directory.arrays, digests).get(name, {}))


def undrawn(config: RunConfig, record: RunRecord, directory: RunDirectory) -> list[str]:
    """The figures that are not there: of training, and of the scorers that have measured."""
    names = [
        n for name in record.scorers if name in config.eval for n in config.eval[name].figure_names
    ]
    if directory.metrics.exists():
        names.append("figure")
        names += ["learning_curve"] * _has_curves(directory.metrics)
    return [name for name in names if not directory.figure(name).exists()]


def _has_curves(path: Path) -> bool:
    """Whether scorers measured on the way; of a file that cannot be read, drawing will tell."""
    try:
        return b"curve/tokens" in path.read_bytes()
    except OSError:
        return True
