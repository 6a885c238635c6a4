"""How a model uses its depth: what each state predicts, and from where on it stays."""

from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.predictions import trace

__all__ = ["Positions", "trace"]
