"""Settings of fitting a tuned lens."""

from dataclasses import dataclass
from enum import Enum

from physlm.schema import Schema


class LensOptimizer(str, Enum):
    """The optimizer of the translators; ``none`` leaves them at their start."""

    muon = "muon"
    sgd = "sgd"
    adam = "adam"
    none = "none"


class LensStart(str, Enum):
    """The translators before training: the ridge solution, or 0, which is the logit lens."""

    ridge = "ridge"
    zero = "zero"


class WeightBy(str, Enum):
    """What ``frequent_weight`` applies to: positions by their top-1, or vocabulary entries."""

    position = "position"
    entry = "entry"


@dataclass(kw_only=True, slots=True)
class TunedLensConfig(Schema):
    """How the translators of a tuned lens are fitted.

    Source:
        Belrose et al. (2023), Tuned Lens, for sgd and adam; ``sgd`` from ``zero`` in 250 steps is
        their recipe.
    """

    start: LensStart = LensStart.ridge
    ridge: float = 1e-4  # regularisation over the mean variance of a state's coordinates
    optimizer: LensOptimizer = LensOptimizer.muon
    n_steps: int = 100  # at a learning rate that decays linearly to 0
    tokens_per_step: int = 1024
    learning_rate: float | None = None  # null: 0.05 for muon, 0.1 for sgd, 0.001 for adam
    weight_decay: float = 1e-3
    gradient_clip: float = 1.0  # norm over all translators
    skip_first: int = 1  # tokens at the start of each segment, whose states are extreme
    frequent_weight: float = 1.0  # of updates from frequent tokens
    weight_by: WeightBy = WeightBy.position

    def validate(self) -> None:
        """Every value in its range.

        Raises:
            ValueError: If a value is out of its range, or two do not fit together.
        """
        for name in ("ridge", "gradient_clip", "frequent_weight"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}; must be above 0")
        for name in ("weight_decay", "skip_first"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}; must be 0 or more")
        for name in ("n_steps", "tokens_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 1")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}; must be above 0")
        self._check_weighting()

    def _check_weighting(self) -> None:
        is_weighted = self.frequent_weight != 1 and self.weight_by == WeightBy.entry
        if is_weighted and self.optimizer == LensOptimizer.none:
            raise ValueError(
                "weight_by=entry with optimizer=none; least squares has no vocabulary entries; "
                "use weight_by=position or an optimizer"
            )

    @property
    def rate(self) -> float:
        """The learning rate of the first step."""
        defaults = {LensOptimizer.muon: 0.05, LensOptimizer.sgd: 0.1}
        if self.learning_rate is None:
            return defaults.get(self.optimizer, 1e-3)
        return self.learning_rate
