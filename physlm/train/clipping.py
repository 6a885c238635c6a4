"""Clipping of gradients by their norm over all parameters."""

from torch import Tensor
from torch.nn.utils import get_total_norm


def clipped(gradients: dict[str, Tensor], largest: float | None) -> dict[str, Tensor]:
    """Gradients whose norm is at most `largest`; unchanged if it is None."""
    if largest is None:
        return gradients
    # As torch's clip_grad_norm_, 1e-6 included, so that all kinds of steps agree.
    norm = get_total_norm(list(gradients.values()))
    scale = (largest / (norm + 1e-6)).clamp(max=1.0)
    return {name: gradient * scale for name, gradient in gradients.items()}
