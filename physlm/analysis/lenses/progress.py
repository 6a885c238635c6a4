"""Progress of long fits."""

import time
from collections.abc import Iterator

from physlm.watching import tell

_SECONDS_BETWEEN_REPORTS = 15.0


def reported(n_steps: int, what: str) -> Iterator[int]:
    """Numbers of the steps, with a line on standard error now and then.

    Args:
        n_steps: Number of steps.
        what: Name of the fit and of a step, as in ``lens: step``.
    """
    last = time.monotonic()
    for step in range(n_steps):
        yield step
        if time.monotonic() - last > _SECONDS_BETWEEN_REPORTS:
            last = time.monotonic()
            tell(f"{what} {step + 1} of {n_steps}")
