"""The probing tasks: what is asked about the parameters of a problem, and where."""

from enum import Enum

from physlm.data.tasks.igsm.language import MODULUS

NOT_KNOWN = MODULUS  # the class of a parameter that has no value yet


class ProbeTask(str, Enum):
    """What a probe predicts about a parameter A, or about two of them, A and B.

    ``nece``: the question needs A; read after problem and question. ``dep``: A depends on B,
    directly or not; read after the problem, without the question. The others are read at the start
    of the solution or after one of its sentences. ``known``: A has been computed. ``value``: its
    value, or that it is not known. ``can_next``: A is not known and all that it is computed from
    is. ``nece_next``: this, and the question needs A.
    """

    nece = "nece"
    dep = "dep"
    known = "known"
    value = "value"
    can_next = "can_next"
    nece_next = "nece_next"

    @property
    def n_classes(self) -> int:
        """Two; for ``value``, all values and a class for unknown ones."""
        return MODULUS + 1 if self is ProbeTask.value else 2

    @property
    def is_in_solution(self) -> bool:
        """Whether it is read in the solution."""
        return self not in (ProbeTask.nece, ProbeTask.dep)

    @property
    def groups(self) -> dict[str, range]:
        """Groups of classes that have an accuracy of their own, by name."""
        if self is ProbeTask.value:
            return {"known": range(MODULUS), "not_known": range(NOT_KNOWN, NOT_KNOWN + 1)}
        return {"false": range(1), "true": range(1, 2)}
