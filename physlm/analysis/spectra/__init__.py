"""Spectra of attention: graphs of tokens, their Laplacians, metrics of eigenvalues and signals."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physlm.analysis.spectra.laplacians import eigenvalues
    from physlm.analysis.spectra.masked import masked_metrics
    from physlm.analysis.spectra.metrics import spectral_metrics, velocities

__all__ = ["eigenvalues", "masked_metrics", "spectral_metrics", "velocities"]

_MODULES = {
    "eigenvalues": "laplacians",
    "masked_metrics": "masked",
    "spectral_metrics": "metrics",
    "velocities": "metrics",
}


def __getattr__(name: str) -> Any:
    """Imported when it is first used: the schemas of scorers beside it must not load torch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
