"""How a model uses its depth: what each state predicts, and from which state on that stays."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physlm.analysis.depth.positions import Positions
    from physlm.analysis.depth.predictions import trace

__all__ = ["Positions", "trace"]

_MODULES = {"Positions": "positions", "trace": "predictions"}


def __getattr__(name: str) -> Any:
    """Import a name at first use: the schemas of scorers in here must not load torch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
