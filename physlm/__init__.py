"""Controlled experiments on language models in synthetic worlds whose truth is known exactly.

The Python API is `run`, `load`, `score`, `generate`, `ask`, `logit_lens`, `residuals` and
`attention_patterns`, from `physlm.api`.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from physlm.caches import settle_caches
from physlm.early_end import end_on_request

if TYPE_CHECKING:
    from physlm.api import (
        Run,
        ask,
        attention_patterns,
        generate,
        load,
        logit_lens,
        residuals,
        run,
        score,
    )

__all__ = [
    "Run",
    "ask",
    "attention_patterns",
    "generate",
    "load",
    "logit_lens",
    "residuals",
    "run",
    "score",
]
__version__ = "0.1.0"

settle_caches()  # before any library looks for its own

# Only of our commands, `python -m physlm.NAME` and `physlm`: loading them takes seconds, in which a
# request to stop is answered as later on. An application that imports physlm keeps its own answer.
if sys.argv[:1] == ["-m"] or os.path.basename((sys.argv or [""])[0]) == "physlm":  # noqa: PTH119
    end_on_request()


def __getattr__(name: str) -> Any:
    """A name of the Python API, loaded when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'physlm' has no attribute {name!r}")
    if name == "run":  # the module, which is callable: it is the command line, too
        return importlib.import_module("physlm.run")
    return getattr(importlib.import_module("physlm.api"), name)
