"""Lenses: next-token scores from every state of a model, not only from its last.

A lens maps state k, the residual stream after k blocks, to an estimate of the last state, and reads
that with the model's own final norm and output head.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physlm.analysis.lenses.jacobian_lens import JacobianLens
    from physlm.analysis.lenses.lens import Lens
    from physlm.analysis.lenses.logit_lens import LogitLens
    from physlm.analysis.lenses.tuned_lens import TunedLens

__all__ = ["JacobianLens", "Lens", "LogitLens", "TunedLens"]

_MODULES = {
    "JacobianLens": "jacobian_lens",
    "Lens": "lens",
    "LogitLens": "logit_lens",
    "TunedLens": "tuned_lens",
}


def __getattr__(name: str) -> Any:
    """Import a lens at first use: the settings in this package must not load torch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
