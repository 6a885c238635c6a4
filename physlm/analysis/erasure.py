"""Linear erasure: the least change of states after which no linear probe finds a class."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from physlm.errors import InputError

_RELATIVE_TOLERANCE = 1e-10  # of variances that count as 0


@dataclass(frozen=True, slots=True, eq=False)
class Eraser:
    """An affine map of states, x - (x - mean) D, that makes the means of all classes equal.

    Of all affine maps that do, it changes the states least in the mean square. It projects whitened
    states, so its rank is at most the number of classes minus 1.

    Attributes:
        mean: Mean of the states that it was fitted on.
        removed: D, the projection of centred states onto what is removed.

    Source:
        Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form.
    """

    mean: Float64[Tensor, " width"]
    removed: Float64[Tensor, "width width"]

    @classmethod
    def fit(cls, states: Float[Tensor, "n width"], classes: Int[Tensor, " n"]) -> "Eraser":
        """Erase what a linear probe reads of the classes.

        Args:
            states: States, one per item.
            classes: The class of each, from 0.

        Raises:
            InputError: If there is only one class, or more classes than directions in which the
                states vary, so that nothing would be left.
        """
        n_classes = len(torch.bincount(classes).nonzero())
        if n_classes < 2:
            raise InputError("all states have the same class; there is nothing to erase")
        whitening = _Whitening.of(states)
        if n_classes > whitening.rank:
            raise InputError(
                f"{n_classes} classes in states that vary in {whitening.rank} directions; erasing "
                "them would leave nothing; use fewer classes or more states"
            )
        centred = states.double() - whitening.mean
        labels = torch.nn.functional.one_hot(classes).double()
        covariance = whitening.forward.mT @ centred.mT @ (labels - labels.mean(dim=0)) / len(states)
        directions, sizes, _ = torch.linalg.svd(covariance, full_matrices=False)
        return whitening.eraser(directions[:, sizes > _RELATIVE_TOLERANCE**0.5 * sizes[0]])

    @classmethod
    def random(
        cls, states: Float[Tensor, "n width"], rank: int, generator: torch.Generator
    ) -> "Eraser":
        """Erase random directions of whitened states: a control of equal rank.

        Args:
            states: States, one per item.
            rank: Number of directions.
            generator: Draws them.
        """
        whitening = _Whitening.of(states)
        drawn = torch.randn(whitening.rank, rank, generator=generator, dtype=torch.float64)
        return whitening.eraser(torch.linalg.qr(drawn.to(states.device)).Q)

    @property
    def rank(self) -> int:
        """Number of directions that are removed, the trace of a projection."""
        return round(self.removed.trace().item())

    def __call__(self, states: Float[Tensor, "*any width"]) -> Float[Tensor, "*any width"]:
        """The states without what is erased, in their own type."""
        exact = states.double()
        return (exact - (exact - self.mean) @ self.removed).to(states.dtype)


def n_directions(states: Float[Tensor, "n width"]) -> int:
    """Number of directions in which states vary, and the most classes that can be erased."""
    return _Whitening.of(states).rank


@dataclass(frozen=True, slots=True, eq=False)
class _Whitening:
    """Coordinates in which states have variance 1 in every direction in which they vary.

    Attributes:
        mean: Mean of the states.
        forward: Map from centred states to these coordinates.
        back: Map from these coordinates to centred states.
    """

    mean: Float64[Tensor, " width"]
    forward: Float64[Tensor, "width rank"]
    back: Float64[Tensor, "rank width"]

    @classmethod
    def of(cls, states: Float[Tensor, "n width"]) -> "_Whitening":
        exact = states.double()
        mean = exact.mean(dim=0)
        centred = exact - mean
        values, vectors = torch.linalg.eigh(centred.mT @ centred / len(states))
        # Directions in which states vary by rounding alone have no inverse.
        varies = values > _RELATIVE_TOLERANCE * (values[-1] + mean.square().sum())
        scale, axes = values[varies].sqrt(), vectors[:, varies]
        return cls(mean, axes / scale, (axes * scale).mT)

    @property
    def rank(self) -> int:
        """Number of directions in which the states vary."""
        return self.forward.shape[1]

    def eraser(self, directions: Float64[Tensor, "rank erased"]) -> Eraser:
        """The eraser of orthonormal directions in these coordinates."""
        return Eraser(self.mean, self.forward @ directions @ directions.mT @ self.back)
