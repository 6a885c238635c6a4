"""Answers of both laws to a question, and why a law has none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from physlm.errors import InputError
from physlm.report.planner.amounts import amount
from physlm.report.planner.case import Case, Stored
from physlm.report.planner.law import Law, solved
from physlm.report.planner.question import Question

_FEWEST = 1e-9  # exposures, where tokens suffice for none


@dataclass(frozen=True, slots=True, kw_only=True)
class RareFacts:
    """What becomes of facts that are seen less often.

    Attributes:
        facts: Their number.
        exposures: Times that each is seen.
        needed: Exposures at which a model of this size stores the wanted fraction; None if none
            are enough.
        is_stored: Whether they are seen as often as that.
    """

    facts: float
    exposures: float
    needed: float | None
    is_stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a law says: one quantity is planned, the others are given.

    Attributes:
        law: The law.
        planned: The planned quantity: ``facts``, ``parameters``, ``exposures`` or ``stored``.
        interval: Its interval: 90% of new runs of the measured law, the published one's own; an end
            is None if the interval is open there.
        facts: Number of facts.
        case: Bits of the world, parameters, exposures and setting.
        stored: The fraction of the bits that is stored.
        tokens: Tokens of training, junk included.
        steps: Optimiser steps of the runs that the law comes from.
        rare: Facts that are seen less often.
        outside: What lies outside the range of the law; empty unless extrapolation was asked for.
    """

    law: Law
    planned: str
    interval: tuple[float | None, float | None]
    facts: float
    case: Case
    stored: Stored
    tokens: float
    steps: float
    rare: tuple[RareFacts, ...]
    outside: tuple[str, ...]

    @property
    def value(self) -> float:
        """The planned quantity."""
        return {
            "facts": self.facts,
            "parameters": self.case.parameters,
            "exposures": self.case.exposures,
            "stored": self.stored.value,
        }[self.planned]

    @property
    def bits_per_parameter(self) -> float:
        """Stored bits over parameters."""
        return self.stored.value * self.case.bits / self.case.parameters

    @property
    def flops(self) -> float:
        """Operations of training, 6 for each parameter and token."""
        return 6 * self.case.parameters * self.tokens


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a law does not answer.

    Attributes:
        law: The law.
        reasons: Each names a value and the range in which the law is known.
    """

    law: Law
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The answers to a question.

    Attributes:
        question: The question.
        answers: Of the laws that answer.
        refusals: Of the others.
    """

    question: Question
    answers: tuple[Answer, ...]
    refusals: tuple[Refusal, ...]


def advice(question: Question, laws: Iterable[Law], *, extrapolates: bool = False) -> Advice:
    """Ask every law; one that would have to extrapolate gives its reasons instead.

    Args:
        question: What is planned.
        laws: The laws to ask.
        extrapolates: Whether they answer outside their ranges, too.

    Raises:
        InputError: If no law answers.
    """
    found = [_asked(question, law, extrapolates=extrapolates) for law in laws]
    answers = tuple(one for one in found if isinstance(one, Answer))
    refusals = tuple(one for one in found if isinstance(one, Refusal))
    if not answers:
        raise InputError(_refused(refusals))
    return Advice(question, answers, refusals)


def _asked(question: Question, law: Law, *, extrapolates: bool) -> Answer | Refusal:
    """The answer of a law, or why it has none."""
    values = [_planned(question, law, end) for end in ("value", "low", "high")]
    if values[0] is None:
        return Refusal(law, (_impossible(question, law),))
    case, facts = _case(question, values[0]), _facts(question, values[0])
    outside = tuple(law.outside(case))
    if outside and not extrapolates:
        return Refusal(law, outside)
    low, high = sorted(values[1:], key=lambda v: (v is None, v))
    return Answer(
        law=law,
        planned=question.unknown,
        interval=(low, high),
        facts=facts,
        case=case,
        stored=law.stored(case),
        tokens=question.training_tokens(facts, case.exposures),
        steps=law.steps(case),
        rare=tuple(_rare_facts(question, law, case, facts)),
        outside=outside,
    )


def _planned(question: Question, law: Law, end: str) -> float | None:
    """The planned quantity, by the predicted fraction or an end of its interval.

    Returns:
        The quantity; None if none is enough, or all facts are too many.
    """

    def stored(value: float) -> float:
        return float(getattr(law.stored(_case(question, value)), end))

    if question.unknown == "stored":
        return stored(0.0)
    if question.unknown == "facts":  # fewer facts are stored better
        found = solved(lambda value: stored(1 / value), question.stored)
        return None if found is None else 1 / found
    return solved(stored, question.stored)


def _facts(question: Question, value: float) -> float:
    return value if question.facts is None else question.facts


def _case(question: Question, value: float) -> Case:
    """The case with a value of the planned quantity; that of ``stored`` changes nothing."""
    unknown, facts = question.unknown, _facts(question, value)
    exposures = value if unknown == "exposures" else question.exposures_of(facts)
    parameters = value if question.parameters is None else question.parameters
    return question.case(facts=facts, parameters=parameters, exposures=max(exposures, _FEWEST))


def _rare_facts(question: Question, law: Law, case: Case, facts: float) -> Iterable[RareFacts]:
    """The rare facts, each with the exposures that they would need."""
    if not question.rare:
        return
    setting, bits, parameters = case.setting, case.bits, case.parameters
    needed = solved(
        lambda exposures: (
            law.stored(
                Case(bits=bits, parameters=parameters, exposures=exposures, setting=setting)
            ).value
        ),
        question.stored,
    )
    for one in question.rare:
        is_stored = needed is not None and one.exposures >= needed
        yield RareFacts(
            facts=facts * one.share, exposures=one.exposures, needed=needed, is_stored=is_stored
        )


def _impossible(question: Question, law: Law) -> str:
    """Why nothing is enough."""
    if question.unknown == "exposures":
        return (
            f"a model of {amount(question.parameters or 0)} parameters stores "
            f"{100 * question.stored:g}% of this after no number of exposures ({law.name}); use a "
            "larger one"
        )
    changes = " and ".join(question.setting.changes) or "these exposures"
    return f"with {changes} nothing is stored, whatever the size ({law.name})"


def _refused(refusals: Sequence[Refusal]) -> str:
    """The error of a question that no law answers."""
    reasons = dict.fromkeys(reason for refusal in refusals for reason in refusal.reasons)
    return f"outside what is known: {'; '.join(reasons)}; --extrapolate answers all the same"
