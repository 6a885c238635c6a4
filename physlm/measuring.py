"""What a trained run is measured by, scorer by scorer, and the figures that show it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from physlm.analysis.figures import draw_learning_curve, draw_run, save_figure
from physlm.config import RunConfig
from physlm.data.corpus import Corpus
from physlm.errors import never_stopping, reason
from physlm.models.language_model import LanguageModel
from physlm.record import RunDirectory, RunRecord, read_curves

Subject = tuple[LanguageModel, Corpus]


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
        return replace(record, errors={**record.errors, name: reason(error)})
    scorers = {**(record.scorers or {}), name: scorer.version}
    return replace(record, metrics=(*record.metrics, *metrics), scorers=scorers)


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
    for name, draw in {"figure": draw_run, "learning_curve": draw_learning_curve}.items():
        path = directory.figure(name)
        if directory.metrics.exists() and not path.exists():
            with never_stopping(f"drawing {path}"):
                draw(record, read_curves(directory.metrics), path)
    undone = unmeasured(config, record)
    for name in (name for name in config.eval if name not in undone):
        missing = [n for n in config.eval[name].figure_names if not directory.figure(n).exists()]
        if missing:
            with never_stopping(f"drawing {', '.join(missing)} in {directory.path}"):
                for figure_name, figure in config.eval[name].figures(*subject()).items():
                    save_figure(figure, directory.figure(figure_name))
