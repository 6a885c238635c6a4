"""Spectra of attention graphs, and what they tell beyond length and likelihood."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physlm.analysis.spectra.comparison.compared import Comparison, compare_all, compare_groups
    from physlm.analysis.spectra.comparison.coverage import Coverage, threshold_coverage
    from physlm.analysis.spectra.comparison.measured import measure_groups
    from physlm.analysis.spectra.laplacians import eigenvalues
    from physlm.analysis.spectra.layered_graph import directed_eigenvalues, lap_eigvals
    from physlm.analysis.spectra.masked import masked_metrics
    from physlm.analysis.spectra.metrics import spectral_metrics, velocities
    from physlm.analysis.spectra.monitor import SpectralMonitor

__all__ = [
    "Comparison",
    "Coverage",
    "SpectralMonitor",
    "compare_all",
    "compare_groups",
    "directed_eigenvalues",
    "eigenvalues",
    "lap_eigvals",
    "masked_metrics",
    "measure_groups",
    "spectral_metrics",
    "threshold_coverage",
    "velocities",
]

_MODULES = {
    "Comparison": "comparison.compared",
    "Coverage": "comparison.coverage",
    "SpectralMonitor": "monitor",
    "compare_all": "comparison.compared",
    "compare_groups": "comparison.compared",
    "directed_eigenvalues": "layered_graph",
    "eigenvalues": "laplacians",
    "lap_eigvals": "layered_graph",
    "masked_metrics": "masked",
    "measure_groups": "comparison.measured",
    "spectral_metrics": "metrics",
    "threshold_coverage": "comparison.coverage",
    "velocities": "metrics",
}


def __getattr__(name: str) -> Any:
    """Import a name at first use: the schemas of scorers in here must not load torch or scipy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
