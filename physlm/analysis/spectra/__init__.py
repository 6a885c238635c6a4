"""Spectra of attention graphs, and what they tell beyond length and likelihood."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physlm.analysis.spectra.comparison.compared import Comparison, compare_groups
    from physlm.analysis.spectra.comparison.coverage import Coverage, threshold_coverage

__all__ = ["Comparison", "Coverage", "compare_groups", "threshold_coverage"]

_MODULES = {
    "Comparison": "comparison.compared",
    "compare_groups": "comparison.compared",
    "Coverage": "comparison.coverage",
    "threshold_coverage": "comparison.coverage",
}


def __getattr__(name: str) -> Any:
    """Imported when it is first used: the schemas of scorers beside it must not load scipy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
