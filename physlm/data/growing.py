"""Arrays that grow, in compiled code."""

import numpy as np

from physlm.data.compilation import inlined


@inlined
def grown(values, n_used, needed):  # type: ignore[no-untyped-def]
    """The array itself, or a longer copy of its used part if more room is needed."""
    if n_used + needed <= len(values):
        return values
    longer = np.empty(2 * len(values) + needed, dtype=values.dtype)
    # A slice would make Numba compile the text of an error about shapes, which takes seconds.
    for k in range(n_used):
        longer[k] = values[k]
    return longer
