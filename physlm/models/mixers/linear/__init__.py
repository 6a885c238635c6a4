"""Linear attention: mixers whose state has a constant size, trained in chunks of time."""

from physlm.models.mixers.linear.gated_delta import gated_delta
from physlm.models.mixers.linear.gla import gla
from physlm.models.mixers.linear.mamba2 import mamba2

__all__ = ["gated_delta", "gla", "mamba2"]
