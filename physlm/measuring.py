"""What a trained run is measured by, scorer by scorer, and the figures that show it."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from physlm.config import RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import InputError
from physlm.record import RunDirectory, RunRecord, read_curves
from physlm.watching import harmless

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

Subject = tuple["LanguageModel", Corpus]


def measured(
    config: RunConfig,
    record: RunRecord,
    subject: Subject,
    names: Sequence[str],
    *,
    keep: Callable[[RunRecord], None],
) -> RunRecord:
    """The record with what these scorers measure; one that fails leaves its reason instead.

    Args:
        config: Of the run.
        record: With what was measured before.
        subject: The trained model and its corpus.
        names: Of the scorers.
        keep: Gets the record after each of them, so that nothing is measured twice.
    """
    record = replace(record, errors={}, scorers=record.scorers or {})
    keep(_judged(config, record))
    for name in names:
        record = _judged(config, _scored(config, record, subject, name))
        keep(record)
    return _judged(config, record)


def _scored(config: RunConfig, record: RunRecord, subject: Subject, name: str) -> RunRecord:
    scorer = config.eval[name]
    try:
        metrics = scorer.score(*subject)
    except Exception as error:  # noqa: BLE001 - the other scorers have something to say, too
        return replace(record, errors={**record.errors, name: _reason(error)})
    scorers = {**(record.scorers or {}), name: scorer.version}
    return replace(record, metrics=(*record.metrics, *metrics), scorers=scorers)


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
    """The scorers that have not measured yet; records of earlier versions hold all of them."""
    done = record.scorers
    return [] if done is None else [name for name in config.eval if name not in done]


def outdated(config: RunConfig, record: RunRecord) -> dict[str, str]:
    """The scorers that measure otherwise since they measured this run, and their versions."""
    done = dict.fromkeys(config.eval, 1) if record.scorers is None else record.scorers
    return {
        name: f"eval.{name} was version {done[name]}, now {scorer.version}"
        for name, scorer in config.eval.items() if done.get(name, scorer.version) != scorer.version
    }  # fmt: skip


def draw_missing(
    config: RunConfig, record: RunRecord, directory: RunDirectory, subject: Callable[[], Subject]
) -> None:
    """Draw the figures that are not there; none of them decides what becomes of the run.

    Args:
        config: Of the run.
        record: What it measured.
        directory: Where its figures are.
        subject: The trained model and its corpus, for the figures of scorers.
    """
    from physlm.analysis.figures import draw_learning_curve, draw_run, save_figure

    missing = undrawn(config, record, directory)
    for name, draw in {"figure": draw_run, "learning_curve": draw_learning_curve}.items():
        if name in missing:
            path = directory.figure(name)
            with harmless(f"drawing {path}"):
                draw(record, read_curves(directory.metrics), path)
    for scorer in config.eval.values():
        own = [figure for figure in scorer.figure_names if figure in missing]
        if own:
            with harmless(f"drawing {', '.join(own)} in {directory.path}"):
                for figure_name, figure in scorer.figures(*subject()).items():
                    save_figure(figure, directory.figure(figure_name))


def undrawn(config: RunConfig, record: RunRecord, directory: RunDirectory) -> list[str]:
    """The figures that are not there: of training, and of the scorers that have measured."""
    undone = unmeasured(config, record)
    names = [
        n for name in config.eval if name not in undone for n in config.eval[name].figure_names
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
