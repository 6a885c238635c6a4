"""The verdict on each metric: whether it separates groups beyond length and likelihood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import polars as pl

from physlm.analysis.spectra.comparison.arms import ANY, Arm
from physlm.analysis.spectra.comparison.discoveries import LARGEST_Q
from physlm.analysis.spectra.metric_options import COMPANIONS

Row = Mapping[str, float | None]


class Outcome(str, Enum):
    """Conclusions that the evidence can support."""

    beyond = "beyond length and likelihood"
    no_evidence = "no evidence beyond length and likelihood"
    not_decided = "not decided"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a verdict: its numbers, and whether it holds; None if that is not known."""

    holds: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion about one metric.

    Attributes:
        metric: Its name; ``any`` for the best of all spectral metrics.
        outcome: ``beyond`` if all conditions hold, ``no_evidence`` if one does not; ``not_decided``
            if one of the first three is undefined for these texts, or if these hold but the
            untrained arm was not measured.
        conditions: In this order: the interval of ``d_controls`` excludes 0; that of
            ``nested_gain`` lies above 0; q below 0.05; ``d_controls`` larger than in an untrained
            model.
    """

    metric: str
    outcome: Outcome
    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        decisive = {Outcome.beyond: True, Outcome.no_evidence: False, Outcome.not_decided: None}
        shown = [c for c in self.conditions if c.holds is decisive[self.outcome]]
        return f"{self.metric}: {self.outcome.value} ({'; '.join(c.text for c in shown)})"


def verdicts(model: Arm, untrained: Arm | None, no_length: str | None) -> dict[str, Verdict]:
    """The verdict on every spectral metric that is measured, and on the best of them (``any``).

    Effects and q are those of the column that the training folds chose along with the controls.

    Args:
        model: The trained model.
        untrained: The untrained one, if it was measured.
        no_length: Why there is no effect at equal length; None if there is.
    """
    found = {}
    for metric in _measured(model):
        selected, nested = _row(model.selected, metric), _row(model.nested, metric)
        conditions = (
            _beyond_controls(selected, no_length),
            _gains(nested, model.not_validated),
            _is_significant(selected),
            _exceeds_untrained(selected, untrained, metric),
        )
        found[metric] = Verdict(metric, _outcome(conditions), conditions)
    return found


def why_no_gain(nested: Row) -> str | None:
    """Why nothing can be added to the controls; None if something can.

    Args:
        nested: A row of the nested accuracies.
    """
    possible, accuracy = nested["largest_gain_low"], nested["accuracy_controls"]
    if possible is None or accuracy is None or possible > 0:
        return None
    return f"nothing can be added to length and likelihood, right on {accuracy:.1%} of the texts"


def _measured(model: Arm) -> Iterator[str]:
    names = dict.fromkeys([*model.columns["metric"].to_list(), ANY])
    return (name for name in names if name not in COMPANIONS)


def _row(table: pl.DataFrame, metric: str) -> Row | None:
    """The numbers of one metric, of the column chosen with the controls where there are two."""
    if table.is_empty():
        return None
    own = table.filter(pl.col("metric") == metric)
    if "chosen_for" in own.columns:
        own = own.filter(pl.col("chosen_for") == "both")
    return own.row(0, named=True) if len(own) else None


def _outcome(conditions: tuple[Condition, ...]) -> Outcome:
    holds = [condition.holds for condition in conditions]
    if None in holds[:3]:
        return Outcome.not_decided
    if False in holds:
        return Outcome.no_evidence
    return Outcome.not_decided if None in holds else Outcome.beyond


def _beyond_controls(row: Row | None, no_length: str | None) -> Condition:
    if no_length is not None:
        return Condition(holds=None, text=no_length)
    d = None if row is None else row["d_controls"]
    low = None if row is None else row["d_controls_low"]
    high = None if row is None else row["d_controls_high"]
    if d is None or low is None or high is None:
        return Condition(holds=None, text="d_controls is undefined")
    return Condition(
        holds=low > 0 or high < 0, text=f"d_controls {d:.2f}, 95% {low:.2f} to {high:.2f}"
    )


def _gains(row: Row | None, not_validated: str | None) -> Condition:
    gain = None if row is None else row["nested_gain"]
    low = None if row is None else row["gain_low"]
    high = None if row is None else row["gain_high"]
    if row is None or gain is None or low is None or high is None:
        return Condition(holds=None, text=not_validated or "constant on all texts")
    if (no_gain := why_no_gain(row)) is not None:
        return Condition(holds=None, text=no_gain)
    text = f"nested_gain {gain:.3f}, 95% {low:.3f} to {high:.3f}"
    return Condition(holds=low > 0, text=text)


def _is_significant(row: Row | None) -> Condition:
    q = None if row is None else row["q"]
    if q is None:
        return Condition(holds=None, text="q is undefined")
    return Condition(holds=q < LARGEST_Q, text=f"q {q:.2g}")


def _exceeds_untrained(row: Row | None, untrained: Arm | None, metric: str) -> Condition:
    own = None if untrained is None else _row(untrained.selected, metric)
    if untrained is None or (own is None and metric not in {*untrained.columns["metric"], ANY}):
        return Condition(holds=None, text="no untrained model to compare with")
    d, other = (None if r is None else r["d_controls"] for r in (row, own))
    if d is None or (own is not None and other is None):
        return Condition(holds=False, text="effects of both models cannot be compared")
    if other is None:
        return Condition(holds=True, text="constant in the untrained model")
    return Condition(holds=abs(d) > abs(other), text=f"untrained d_controls {other:.2f}")
