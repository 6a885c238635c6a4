"""Drawing problems of iGSM with their solutions: ours, and the same in plain Python."""

import random

from benchmarks.plain_igsm import plain_igsm
from benchmarks.timing import Row, compare
from physlm.data.tasks.igsm import Igsm

_N_DRAWN, _N_PLAIN = 5000, 100


def igsm_rows() -> list[Row]:
    """On one core, as tokens."""
    return [
        _row("med, at most 15 operations", Igsm()),
        _row("hard, at most 21 operations", Igsm(op_max=21, ip_max=28)),
        _row("laptop, at most 4 operations", Igsm(op_max=4, ip_max=12)),
    ]


def _row(shape: str, task: Igsm) -> Row:
    numbers, rng = iter(range(10**6)), random.Random(0)

    def ours() -> int:
        first = next(numbers) * _N_DRAWN
        return len(task.numbered(0, first, first + _N_DRAWN, {}))

    def theirs() -> int:
        return sum(bool(plain_igsm(task, rng)) for _ in range(_N_PLAIN))

    return compare(
        "drawing iGSM", shape, "plain Python", ours=ours, theirs=theirs, unit="problems/s"
    )
