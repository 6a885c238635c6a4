"""Options of the generator."""

from enum import Enum


class Layout(str, Enum):
    """Whether the problem comes before the question (``pq``) or after it (``qp``)."""

    pq = "pq"
    qp = "qp"


class SizeLaw(str, Enum):
    """The number of operations for which the sizes of a problem are drawn.

    ``target``: the number that the problem will have, as in the paper. ``redrawn``: new numbers,
    until a graph has the target, as in the release; graphs then have another distribution, numbers
    of operations the same.
    """

    target = "target"
    redrawn = "redrawn"


class ParentPreference(str, Enum):
    """Which parents are likelier while the order is drawn.

    ``not_wanted``: those that nothing placed depends on yet, as in the release. ``wanted``: the
    others, as the paper says.
    """

    not_wanted = "not_wanted"
    wanted = "wanted"


class RetryKind(str, Enum):
    """Which wrong parameters a solution takes back.

    ``retry``: those that cannot be computed next. ``retry_weak``: those that the solution defines
    later. ``retry_miss``: all that it has not defined yet.
    """

    retry = "retry"
    retry_weak = "retry_weak"
    retry_miss = "retry_miss"
