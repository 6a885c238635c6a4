"""Figures of a run, drawn from its record and its directory."""

from pathlib import Path

from physlm.arrays import read_arrays
from physlm.eval.scorer import ScorerConfig, Scorers
from physlm.frames import read_frame
from physlm.measurement import Measurement
from physlm.record import RunRecord
from physlm.run_directory import LOSS, RunDirectory, read_curves
from physlm.watching import harmless


def draw(
    scorers: Scorers, record: RunRecord, directory: RunDirectory, *, is_anew: bool = False
) -> None:
    """Draw missing figures.

    Args:
        scorers: Scorers of the run, by name.
        record: The record of the run.
        directory: The run directory, with arrays and figures.
        is_anew: Whether existing figures are outdated and drawn again.
    """
    if is_anew:
        with harmless(f"removing old figures of {directory.path}"):
            directory.forget_figures()
    missing = undrawn(scorers, record, directory)
    if not missing:
        return
    from physlm.analysis.figures import draw_learning_curve, draw_run, save_figure

    for name, drawn in {"figure": draw_run, "learning_curve": draw_learning_curve}.items():
        if name in missing:
            path = directory.figure(name)
            with harmless(f"drawing {path}"):
                drawn(record, read_curves(directory.metrics), path)
    for name, scorer in scorers.items():
        own = [figure for figure in scorer.figure_names if figure in missing]
        if own:
            with harmless(f"drawing {', '.join(own)} in {directory.path}"):
                found = measurement_of(record, directory, name, scorer)
                for figure_name, figure in scorer.figures(found).items():
                    save_figure(figure, directory.figure(figure_name))


def measurement_of(
    record: RunRecord, directory: RunDirectory, name: str, scorer: ScorerConfig
) -> Measurement:
    """The metrics of a run, with the saved arrays and tables of one scorer.

    Args:
        record: The record of the run.
        directory: The run directory.
        name: Name of the scorer in the run.
        scorer: The scorer.

    Raises:
        InputError: If arrays or tables are missing or have changed.
    """
    digests = {scorer: own for scorer, own in record.arrays.items() if scorer == name}
    arrays = read_arrays(directory.arrays, digests).get(name, {})
    paths = {table: directory.table(table) for table in scorer.table_names}
    tables = {
        table: read_frame(path, record.sha256[path.name])
        for table, path in paths.items()
        if path.name in record.sha256
    }
    return Measurement(record.metrics, arrays, tables)


def undrawn(scorers: Scorers, record: RunRecord, directory: RunDirectory) -> list[str]:
    """Names of missing figures: of training, and of the scorers that have measured."""
    names = [n for name in record.scorers if name in scorers for n in scorers[name].figure_names]
    if directory.metrics.exists():
        # A run that only measures has no training loss to draw.
        is_drawn = bool(record.published) or _mentions(directory.metrics, LOSS)
        names += ["figure"] * is_drawn
        names += ["learning_curve"] * _mentions(directory.metrics, "curve/tokens")
    return [name for name in names if not directory.figure(name).exists()]


def _mentions(path: Path, name: str) -> bool:
    """Whether a curve has rows of this name; an unreadable file is reported when drawing."""
    try:
        return name.encode() in path.read_bytes()
    except OSError:
        return True
