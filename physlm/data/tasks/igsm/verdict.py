"""What is right and what is wrong about a solution."""

from dataclasses import dataclass
from enum import Enum

from physlm.data.tasks.igsm.parameter import Parameter


class FaultKind(str, Enum):
    """What can be wrong, by aspect: format, order, calculation, necessity."""

    unreadable_sentence = "unreadable_sentence"  # a sentence has another form
    unknown_parameter = "unknown_parameter"  # the problem has no parameter of the name
    wrong_letter = "wrong_letter"  # the last operation defines another letter than the sentence
    no_answer = "no_answer"  # there is not exactly one number after the answer mark
    undefined_letter = "undefined_letter"  # a letter is used before it is defined
    repeated_letter = "repeated_letter"  # a letter is defined again
    repeated_parameter = "repeated_parameter"  # a parameter is defined again
    wrong_number = "wrong_number"  # a number is not that of its letter
    wrong_operator = "wrong_operator"  # the operator between numbers is not that between letters
    wrong_result = "wrong_result"  # the arithmetic is wrong
    wrong_value = "wrong_value"  # the value of a parameter is not the true one
    missing_parent = "missing_parent"  # a parameter is computed without one that it depends on
    extra_parent = "extra_parent"  # a parameter is computed from one that it does not depend on
    question_not_last = "question_not_last"  # the last parameter is not that of the question
    wrong_answer = "wrong_answer"  # the number after the answer mark is not the true one


_FORMAT = {
    FaultKind.unreadable_sentence,
    FaultKind.unknown_parameter,
    FaultKind.wrong_letter,
    FaultKind.no_answer,
}
_ORDER = {FaultKind.undefined_letter, FaultKind.repeated_letter, FaultKind.repeated_parameter}
_CALCULATION = {
    FaultKind.wrong_number,
    FaultKind.wrong_operator,
    FaultKind.wrong_result,
    FaultKind.wrong_value,
}
_NECESSITY = {FaultKind.missing_parent, FaultKind.extra_parent, FaultKind.question_not_last}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: The kind of fault.
        sentence: Number of the sentence, from 0; that of the answer comes after the last one.
        detail: The words that are wrong.
    """

    kind: FaultKind
    sentence: int
    detail: str

    def __str__(self) -> str:
        return f"sentence {self.sentence}: {self.kind.value.replace('_', ' ')}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of a solution.

    A fault can cause others, so the first one says more than their number.

    Attributes:
        faults: All that is wrong, in the order of the text.
        answer: Whether the number after the answer mark is the true one.
        unnecessary: Parameters that were defined though the question does not need them.
        n_back: Parameters that were taken back.
    """

    faults: tuple[Fault, ...]
    answer: bool
    unnecessary: tuple[Parameter, ...]
    n_back: int

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong; unnecessary parameters are allowed."""
        return not self.faults

    @property
    def format(self) -> bool:
        """Whether all sentences and the answer parse, and name parameters of the problem."""
        return self._has_none(_FORMAT)

    @property
    def order(self) -> bool:
        """Whether letters and parameters are defined once, and letters before they are used."""
        return self._has_none(_ORDER)

    @property
    def calculation(self) -> bool:
        """Whether quoted numbers, results and values are right."""
        return self._has_none(_CALCULATION)

    @property
    def necessity(self) -> bool:
        """Whether each parameter is computed from those that it depends on, the question last."""
        return self._has_none(_NECESSITY)

    def _has_none(self, kinds: set[FaultKind]) -> bool:
        return not any(fault.kind in kinds for fault in self.faults)
