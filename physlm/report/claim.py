"""A published claim and the rule that decides it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from physlm.config.scale import scale_named
from physlm.measurement import parse_metric
from physlm.report.predicted import Prediction

_TYPES: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (
        ("id", "statement", "source", "published", "metric", "scale"),
        str,
        "text, in quotes if it is a number",
    ),
    (("select", "expect"), Mapping, "keys with values"),
    (("compared_to", "best_of", "follows"), Mapping | None, "keys with values"),
    (("times",), int | float, "a number"),
    (("headline", "paired"), bool, "true or false"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published statement and the rule that decides it.

    The measured quantity is the mean of ``metric`` over the runs that ``select`` picks. With
    ``relative_to`` or ``minus``, another metric of the same run divides it or is subtracted first.
    With ``compared_to`` it is the difference from ``times`` the same mean of other runs, or its
    ratio to that. With ``follows`` it is, seed by seed, the rank correlation of ``metric`` with
    another metric of other runs. With ``prediction`` it is the mean over runs, of any
    configuration, of how well ``metric`` was predicted for each.

    Attributes:
        id: Short name.
        statement: The statement of the paper.
        source: Paper, section, number.
        published: The paper's number, as text.
        metric: Text of a metric, as ``qa/exact_match{split=train_people}``.
        select: Column to value, for the selected runs; null selects runs without a value.
        scale: Scale at which it is tested.
        expect: ``at_least`` and ``at_most`` bounds on the quantity.
        relative_to: Metric to divide by.
        minus: Metric to subtract.
        compared_to: Selection of the runs to compare with.
        by: How the two groups of ``compared_to`` are compared: ``difference`` or ``ratio``.
        times: Factor of the mean of ``compared_to`` in a difference.
        paired: Compare runs of equal seeds with each other, such as two measurements of one run.
        best_of: ``over`` and ``by``: of runs that differ in the column ``over``, such as the
            learning rate, each seed contributes its run at the value with the lowest mean of the
            metric ``by``, such as the validation loss, in all other seeds; selected for each group.
        follows: ``metric``, ``select`` and ``over``, the column whose values pair the runs.
        prediction: ``error``, the distance of the metric from what was predicted for the run, as a
            fraction of the predicted value, or ``within``, whether it lies in the 90% interval.
        headline: Whether the claim is in the short table of the ledger.
        command: The command that makes its runs.
        arms: Overrides of each arm that it is about; no other runs decide it.
        predictions: What was predicted, by run id.

    Raises:
        ValueError: If a field has another type, or the rule is inconsistent.
    """

    id: str
    statement: str
    source: str
    published: str
    metric: str
    select: Mapping[str, Any]
    scale: str
    expect: Mapping[str, float]
    relative_to: str | None = None
    minus: str | None = None
    compared_to: Mapping[str, Any] | None = None
    by: str = "difference"
    times: float = 1.0
    paired: bool = False
    best_of: Mapping[str, str] | None = None
    follows: Mapping[str, Any] | None = None
    prediction: str | None = None
    headline: bool = False
    command: str
    arms: tuple[tuple[str, ...], ...] = ()
    predictions: Mapping[str, Prediction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check types and rule: a misspelt bound would decide a claim silently."""
        self._require_types()
        self._require_bounds()
        if self.by not in {"difference", "ratio"}:
            raise ValueError(f"by={self.by}; must be difference or ratio")
        if self.minus is not None and self.relative_to is not None:
            raise ValueError("minus and relative_to exclude each other; give one of them")
        if self.times != 1 and (self.by == "ratio" or self.compared_to is None):
            raise ValueError(f"times={self.times} needs a comparison by difference")
        if self.paired and self.compared_to is None:
            raise ValueError("paired needs a comparison by compared_to")
        if self.best_of is not None and set(self.best_of) != {"over", "by"}:
            raise ValueError("best_of needs over and by")
        if self.follows is not None:
            self._require_correlation(self.follows)
        if self.prediction is not None:
            self._require_prediction()
        for metric in self.metrics:
            parse_metric(metric)

    def _require_types(self) -> None:
        for names, kind, rule in _TYPES:
            if wrong := [name for name in names if not isinstance(getattr(self, name), kind)]:
                raise ValueError(f"{wrong[0]}={getattr(self, wrong[0])}; must be {rule}")
        scale_named(self.scale, "scale=")

    def _require_bounds(self) -> None:
        if not self.expect or not set(self.expect) <= {"at_least", "at_most"}:
            raise ValueError(f"expect={self.expect}; must have at_least, at_most or both")
        if not all(isinstance(bound, int | float) for bound in self.expect.values()):
            raise ValueError(f"expect={self.expect}; bounds must be numbers")

    def _require_correlation(self, follows: Mapping[str, Any]) -> None:
        if set(follows) != {"metric", "select", "over"}:
            raise ValueError("follows needs metric, select and over")
        others = (self.relative_to, self.minus, self.compared_to, self.best_of)
        if others != (None,) * len(others):
            raise ValueError("follows excludes relative_to, minus, compared_to and best_of")

    def _require_prediction(self) -> None:
        if self.prediction not in {"error", "within"}:
            raise ValueError(f"prediction={self.prediction}; must be error or within")
        others = (self.relative_to, self.minus, self.compared_to, self.best_of, self.follows)
        if others != (None,) * len(others):
            raise ValueError(
                "prediction excludes relative_to, minus, compared_to, best_of and follows"
            )

    @property
    def metrics(self) -> list[str]:
        """The texts of all metrics that it names."""
        by, other = (self.best_of or {}).get("by"), (self.follows or {}).get("metric")
        names = (self.metric, self.relative_to, self.minus, by, other)
        return [name for name in names if name is not None]

    @property
    def selections(self) -> list[Mapping[str, Any]]:
        """The selection of the runs, and of those that they are compared with, if any."""
        others = self.follows["select"] if self.follows is not None else self.compared_to
        return [self.select] if others is None else [self.select, others]
