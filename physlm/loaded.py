"""Everything that runs need, loaded when this is imported: by the process that is copied."""

import gc
import os
import signal
from typing import Any

import numpy as np

from physlm.loading import uncollected

_PROCESS = os.getpid()


def _end_copy(number: int, _: Any) -> None:
    """Let SIGTERM end a copy, but not this process: the exit of copies is reported by it."""
    if os.getpid() != _PROCESS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


# Ctrl-C and often SIGTERM reach the whole group. While it loads, this process ends at once.
_before = signal.signal(signal.SIGINT, signal.SIG_DFL)

with uncollected():
    import physlm.analysis.figures
    import physlm.pipeline  # noqa: F401
    from physlm.data.splitmix import choices_of

    # The first compiled function that is called loads Numba, and all of its operations.
    choices_of(np.uint64(0), np.arange(1), np.ones(1, np.int64))

gc.freeze()  # a collection would touch all of it, and each copy would get memory of its own

# Then it ends with the first process, after its copies. What loads this ignores Ctrl-C afterwards.
signal.signal(signal.SIGINT, _before)
signal.signal(signal.SIGTERM, _end_copy)
