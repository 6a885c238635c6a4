"""The figures of a run, drawn of what its record and its directory hold."""

from pathlib import Path

from physlm.arrays import read_arrays
from physlm.eval.scorer import Scorers
from physlm.measurement import Measurement
from physlm.record import RunRecord
from physlm.run_directory import RunDirectory, read_curves
from physlm.watching import harmless


def draw(
    scorers: Scorers, record: RunRecord, directory: RunDirectory, *, is_anew: bool = False
) -> None:
    """Draw the figures that are not there.

    Args:
        scorers: Of the run, by name.
        record: What it measured.
        directory: Where its arrays and figures are.
        is_anew: Those that are there show what is no longer so, and are drawn, too.
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


def undrawn(scorers: Scorers, record: RunRecord, directory: RunDirectory) -> list[str]:
    """The figures that are not there: of training, and of the scorers that have measured."""
    names = [n for name in record.scorers if name in scorers for n in scorers[name].figure_names]
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
