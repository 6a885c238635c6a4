"""Lenses that must be worse than the lens they control for."""

from jaxtyping import Float
from torch import Tensor

from physlm.analysis.lenses.config import TunedLensConfig
from physlm.analysis.lenses.lens import Lens
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.lenses.tuned_lens import TunedLens
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel


def shuffled_lens(
    model: LanguageModel, windows: Windows, config: TunedLensConfig, *, seed: int
) -> TunedLens:
    """A lens fitted on pairs of one token's state and another's last state.

    Its skill is 0 or less up to noise: it can learn the mean prediction only.

    Args:
        model: The model.
        windows: The windows on which the lens itself is fitted.
        config: Settings of the fit, without ``frequent_weight``.
        seed: Seed of the pairs, and of the order of windows and tokens.
    """
    pool = StatePool(model, windows, skip_first=config.skip_first, seed=seed, is_shuffled=True)
    return TunedLens.fit_pool(pool, config, seed=seed)


class ShiftedLens(Lens):
    """Reads each state with the translator of another: the mistake of counting layers from 1.

    Args:
        lens: The lens whose translators are used.
        shift: State k is read as if it were state k + shift, within 0 to L.

    Raises:
        InputError: If the shift is 0.
    """

    def __init__(self, lens: Lens, shift: int) -> None:
        if shift == 0:
            raise InputError("shift=0; a control must shift the states by 1 or more, either way")
        super().__init__(lens.model)
        self.lens, self.shift = lens, shift

    @property
    def states(self) -> list[int]:
        """Numbers of the states whose shifted number the lens reads, and L."""
        below = range(self.n_layers)
        return [*(k for k in below if self._shifted(k) in self.lens.states), self.n_layers]

    def translated(
        self, residual: Float[Tensor, "*any width"], state: int
    ) -> Float[Tensor, "*any width"]:
        """The estimate that the lens makes of another state."""
        other = self._shifted(state)
        return residual if other == self.n_layers else self.lens.translated(residual, other)

    def _shifted(self, state: int) -> int:
        return min(max(state + self.shift, 0), self.n_layers)
